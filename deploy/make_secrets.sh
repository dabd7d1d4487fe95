#!/bin/sh
# Makes the passwords that compose.yaml hands to its containers, each once; what is there stays.
set -eu
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
# The folder is closed to everybody else on this machine. The files are not: a container sees one of them by itself, as a
# user whose number nobody here has.
chmod 700 "$folder"
for name in postgres_password redis_password; do
    file="$folder/$name"
    if [ -s "$file" ]; then
        echo "  $name: kept"
        continue
    fi
    LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c 40 > "$file"
    chmod 644 "$file"
    echo "  $name: made"
done
