#!/usr/bin/env bash
# Makes the pictures of reports that the pages of docs/stages show, from a finished quickstart: docs/report-pictures.sh runs/quickstart
# Needs chromium or google-chrome; the reports are opened as they lie on the disk, in light.
set -euo pipefail
run=$(cd "${1:?give the folder of a finished quickstart}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)

picture() { # NAME FILE HEIGHT
  local file=$run/$2
  [ -f "$file" ] || { echo "$2: not there; the stage has not run" >&2; return; }
  "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=3000 --blink-settings=preferredColorScheme=1 \
    --window-size="1100,$3" --screenshot="$here/images/report-$1.png" "file://$file" >/dev/null 2>&1
  echo "docs/images/report-$1.png"
}

first() { (cd "$run" && ls -d $1 2>/dev/null | head -1); }

picture pretraining "$(first '*-pretrain')/report.html" 1000
picture instruction-tuning "$(first '*-instruct')/report.html" 1000
picture lora "$(first '*-lora')/report.html" 1000
picture alignment "$(first '*-align')/report.html" 1000
picture evaluation "$(first '*-evaluation')/report.html" 760
picture compression "$(first '*-compression/model-q4_0.loss.html')" 620
