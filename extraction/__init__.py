"""What lies in databases and behind APIs, as Parquet files in the raw folder."""
