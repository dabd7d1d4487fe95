"""From the shop's files to typed Parquet: what is read, judged, set aside and kept."""
