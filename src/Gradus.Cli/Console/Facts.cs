using System.Text;

namespace Gradus.Cli.Console;

/// <summary>Prints names and values in two columns, one pair a line, the same into a terminal and a pipe.</summary>
internal sealed class Facts(CommandContext context)
{
    private const int Usual = 16;

    /// <summary>Prints a pair.</summary>
    /// <param name="name">The name.</param>
    /// <param name="value">The value.</param>
    /// <param name="width">Columns for the name.</param>
    public void Add(string name, string value, int width = Usual) =>
        context.Out.WriteLine($"{Failures.OneLine(name).PadRight(width)}  {Failures.OneLine(value)}");

    /// <summary>Prints a headline after an empty line.</summary>
    public void Headline(string text)
    {
        context.Out.WriteLine();
        context.Out.WriteLine(Failures.OneLine(text));
    }

    /// <summary>A text in quotes, with what a terminal cannot show written as escapes.</summary>
    public static string Quote(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (char c in text)
        {
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ when char.IsControl(c) || c is '\u2028' or '\u2029' => $"\\u{(int)c:x4}",
                _ => c.ToString(),
            });
        }
        return quoted.Append('"').ToString();
    }

    /// <summary>A number of bytes as people read it.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1 << 10 => $"{bytes} B",
        < 1 << 20 => $"{bytes / 1024.0:0.0} KiB",
        < 1 << 30 => $"{bytes / 1048576.0:0.0} MiB",
        _ => $"{bytes / 1073741824.0:0.00} GiB",
    };
}
