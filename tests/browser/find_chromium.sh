#!/bin/sh
# Make sure that a Chromium is there: one on PATH, else Debian's as root, else Playwright's own download.
# The headless shell does with an eighth of the work: it draws no window around a page.
playwright=$1
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && apt-get update -qq; then
    echo "No chromium on PATH: installing Debian's."
    for package in chromium-headless-shell chromium; do
        if DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null; then exit 0; fi
    done
fi
echo "No chromium on PATH: asking Playwright for its own."
exec "$playwright" install chromium
