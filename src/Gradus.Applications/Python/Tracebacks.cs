using System.Text;

namespace Gradus.Applications.Python;

/// <summary>Writes what went wrong as Python does.</summary>
internal static class Tracebacks
{
    public static string Syntax(PythonSyntaxException error, string source)
    {
        StringBuilder text = new();
        Place(text, source, error.At, null);
        return text.Append("SyntaxError: ").Append(error.Message).ToString();
    }

    public static string Of(Interpreter it, PyError error, string source)
    {
        StringBuilder text = new("Traceback (most recent call last):\n");
        const int Shown = 8;
        List<(string Function, Position At)> trace = error.Trace;
        for (int i = trace.Count - 1; i >= 0; i--)
        {
            if (i == trace.Count - 1 - Shown && i > Shown)
            {
                text.Append("  ... ").Append(i - Shown).Append(" calls more ...\n");
                i = Shown;
            }
            Place(text, source, trace[i].At, trace[i].Function);
        }
        string message;
        try
        {
            message = Operations.Str(it, Value.Of(error.Error));
        }
        catch (PyError)
        {
            message = "<exception str() failed>";
        }
        text.Append(error.Error.Of.Name);
        if (message.Length > 0)
            text.Append(": ").Append(message);
        return text.ToString();
    }

    private static void Place(StringBuilder text, string source, Position at, string? function)
    {
        text.Append("  line ").Append(at.Line);
        if (function is not null)
            text.Append(", in ").Append(function);
        text.Append('\n');
        string[] lines = source.ReplaceLineEndings("\n").Split('\n');
        if (at.Line < 1 || at.Line > lines.Length)
            return;
        string line = lines[at.Line - 1], shown = line.TrimStart();
        text.Append("    ").Append(shown).Append('\n');
        int column = at.Column - 1 - (line.Length - shown.Length);
        if (column >= 0 && column <= shown.Length)
            text.Append("    ").Append(' ', column).Append("^\n");
    }
}
