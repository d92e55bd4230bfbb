"""What users bring for their pictures: files of columns, as they are read and kept."""
