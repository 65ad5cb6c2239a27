using System.Text;

namespace Gradus.Training.Data;

/// <summary>Walks over the characters of a JSON text and finds where objects end, knowing the line and column.</summary>
internal sealed class JsonCursor(StreamReader reader, string path)
{
    private readonly char[] _block = new char[1 << 16];
    private int _at;
    private int _end;
    private bool _done;

    /// <summary>The line of the next character, from 1.</summary>
    public long Line { get; private set; } = 1;

    /// <summary>The column of the next character, from 1.</summary>
    public long Column { get; private set; } = 1;

    /// <summary>Whether nothing follows.</summary>
    public bool AtEnd => !Fill();

    /// <summary>The error at this place.</summary>
    public InvalidDataException Wrong(string what) => new($"{path}: line {Line}: not a JSON object (column {Column}: {what}).");

    /// <summary>Passes over white space.</summary>
    public void SkipWhiteSpace()
    {
        while (Fill() && _block[_at] is ' ' or '\t' or '\n' or '\r')
            Next();
    }

    /// <summary>Passes over a character if it is the next one.</summary>
    public bool Take(char expected)
    {
        if (!Fill() || _block[_at] != expected)
            return false;
        Next();
        return true;
    }

    /// <summary>The text of the object that begins here, by its brackets alone.</summary>
    public string TakeObject()
    {
        if (!Fill() || _block[_at] != '{')
            throw Wrong("a record must begin with {");
        (long line, long column) = (Line, Column);
        StringBuilder text = new();
        int depth = 0;
        bool inText = false, escaped = false;
        while (Fill())
        {
            char c = Next();
            text.Append(c);
            if (inText)
            {
                inText = escaped || c != '"';
                escaped = !escaped && c == '\\';
                continue;
            }
            inText = c == '"';
            depth += c is '{' or '[' ? 1 : c is '}' or ']' ? -1 : 0;
            if (depth == 0)
                return text.ToString();
        }
        throw new InvalidDataException($"{path}: line {line}: not a JSON object (column {column}: it is not closed before the end of the file).");
    }

    private char Next()
    {
        char c = _block[_at++];
        if (c == '\n')
            (Line, Column) = (Line + 1, 1);
        else
            Column++;
        return c;
    }

    private bool Fill()
    {
        if (_at < _end)
            return true;
        if (_done)
            return false;
        _at = 0;
        _end = DataFile.Guarded(path, () => reader.Read(_block));
        _done = _end == 0;
        return !_done;
    }
}
