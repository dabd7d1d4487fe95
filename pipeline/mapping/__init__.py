"""Any shop's own files as the raw tables: what ``shop.yml`` says, compiled to SQL."""
