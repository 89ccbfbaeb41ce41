"""Names that users of Lightning Apps look for under ``utilities``; everything here stands elsewhere."""
