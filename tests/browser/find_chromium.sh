#!/bin/sh
# Make sure that a Chromium is there: one on PATH, else Debian's as root, else Playwright's own download.
playwright=$1
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "No chromium on PATH: installing Debian's."
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; then exit 0; fi
fi
echo "No chromium on PATH: asking Playwright for its own."
exec "$playwright" install chromium
