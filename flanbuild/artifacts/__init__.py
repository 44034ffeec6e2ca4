"""Files on disk: atomic writes, locks, schemas, typed records, executors."""
