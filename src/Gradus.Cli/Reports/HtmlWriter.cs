// Writes HTML out of interpolated strings: $"<td>{value}</td>". The literal parts are markup, every hole is text and is
// escaped, so a value can only reach the page as text. The one way round is Trusted, for the script, the style and JSON data.
using System.Runtime.CompilerServices;
using System.Text;

namespace Gradus.Cli.Reports;

internal sealed class HtmlWriter
{
    private readonly StringBuilder html = new();

    /// <summary>Appends markup; the holes are escaped.</summary>
    public void Add([InterpolatedStringHandlerArgument("")] ref Markup markup) => markup.Complete();

    /// <summary>Appends markup that this program ships or has made, unchanged.</summary>
    public void Trusted(string markup) => html.Append(markup);

    public override string ToString() => html.ToString();

    /// <summary>Text as it stands between tags or inside a quoted attribute. Control characters, and those that would
    /// reorder the text around them, become the replacement character; every line end becomes one \n.</summary>
    public static string Escape(string? text)
    {
        StringBuilder escaped = new(text?.Length ?? 0);
        AppendEscaped(escaped, text);
        return escaped.ToString();
    }

    private static void AppendEscaped(StringBuilder to, string? text)
    {
        if (text is null)
            return;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                to.Append(c).Append(text[++i]);
            else if (EscapeOf(c) is { } entity)
                to.Append(entity);
            else if (c == '\r')
                to.Append(i + 1 < text.Length && text[i + 1] == '\n' ? "" : "\n");
            else
                to.Append(Visible(c));
        }
    }

    private static string? EscapeOf(char c) => c switch
    {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        _ => null,
    };

    private static char Visible(char c) => c switch
    {
        '\n' or '\t' => c,
        < ' ' or (>= '\u007F' and < '\u00A0') or (>= '\uD800' and <= '\uDFFF') or '\uFFFE' or '\uFFFF' => '\uFFFD',
        (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') => '\uFFFD', // would reorder the text around them
        _ => c,
    };

    /// <summary>The interpolated string of <see cref="Add"/>.</summary>
    [InterpolatedStringHandler]
    internal readonly ref struct Markup
    {
        private readonly StringBuilder to;

        public Markup(int literalLength, int formattedCount, HtmlWriter writer) => to = writer.html;

        public void AppendLiteral(string markup) => to.Append(markup);

        public void AppendFormatted(string? text) => AppendEscaped(to, text);

        public void AppendFormatted(int value) => to.Append(value);

        internal void Complete() => to.Append('\n');
    }
}
