import re

def wrap(text, width=70, initial_indent='', subsequent_indent='', **options):
    lines, line = [], initial_indent
    filled = False
    for word in text.split():
        while True:
            gap = ' ' if filled else ''
            if len(line) + len(gap) + len(word) <= width:
                line, filled = line + gap + word, True
                break
            if filled:
                lines.append(line)
                line, filled = subsequent_indent, False
            else:
                room = max(1, width - len(line))
                lines.append(line + word[:room])
                word, line = word[room:], subsequent_indent
                if not word:
                    break
    if filled:
        lines.append(line)
    return lines

def fill(text, width=70, **options):
    return '\n'.join(wrap(text, width, **options))

def shorten(text, width, placeholder=' [...]', **options):
    text = ' '.join(text.split())
    if len(text) <= width:
        return text
    words = text.split()
    while words and len(' '.join(words)) + len(placeholder) > width:
        words.pop()
    return ' '.join(words) + placeholder if words else placeholder.strip()

def indent(text, prefix, predicate=None):
    predicate = predicate or (lambda line: line.strip())
    return ''.join(prefix + line if predicate(line) else line for line in text.splitlines(True))

def dedent(text):
    lines = text.split('\n')
    margins = [re.match('[ \t]*', line).group() for line in lines if line.strip()]
    if not margins:
        return text
    margin = min(margins)
    for other in margins:
        while not other.startswith(margin):
            margin = margin[:-1]
    return '\n'.join(line[len(margin):] if line.strip() else '' for line in lines)
