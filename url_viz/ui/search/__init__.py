"""The Search safely page: similar pictures, with the ambiguous ones withheld."""
