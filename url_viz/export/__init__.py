"""Exports for other people and programs: folders, lists, tables, data sets, reports."""
