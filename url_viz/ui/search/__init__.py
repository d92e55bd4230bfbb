"""The Search page: similar pictures, with the ambiguous ones withheld."""
