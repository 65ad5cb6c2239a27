using System.Text;
using System.Text.RegularExpressions;
using Gradus.Cli.Tests.Packages;

namespace Gradus.Cli.Tests.Docs;

/// <summary>A command line that a page of the documentation shows in a block of code.</summary>
/// <param name="Page">The page, relative to the repository.</param>
/// <param name="Line">Its line there.</param>
/// <param name="Text">The line as the page shows it, without what is shown of its output.</param>
/// <param name="Arguments">What follows <c>gradus</c>.</param>
/// <param name="Environment">The variables before it.</param>
/// <param name="Input">The file behind <c>&lt;</c>.</param>
/// <param name="Output">The file behind <c>&gt;</c>.</param>
/// <param name="Shown">The line of output that the page shows below a command that begins with a prompt sign.</param>
internal sealed partial record DocumentedCommand(
    string Page, int Line, string Text, string[] Arguments, (string Name, string Value)[] Environment, string? Input, string? Output, string? Shown)
{
    /// <summary>The pages that show commands.</summary>
    public static string[] Pages { get; } =
    [
        "README.md", "CONTRIBUTING.md",
        .. Directory.EnumerateFiles(Path.Combine(PackageFeed.Repository, "docs"), "*.md", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(PackageFeed.Repository, f).Replace('\\', '/')).Order(StringComparer.Ordinal),
    ];

    /// <summary>What follows <c>gradus</c>, as one text.</summary>
    public string Rest => Text[(Text.IndexOf("gradus ", StringComparison.Ordinal) + "gradus ".Length)..];

    /// <summary>The commands of a page, from top to bottom.</summary>
    public static DocumentedCommand[] Of(string page)
    {
        string[] lines = File.ReadAllLines(Path.Combine(PackageFeed.Repository, page));
        List<DocumentedCommand> found = [];
        bool code = false;
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].TrimStart().StartsWith("```", StringComparison.Ordinal))
                code = !code;
            else if (code && CommandLine().IsMatch(lines[i]))
                found.Add(Read(page, i + 1, lines[i], lines[i][0] == '$' && i + 1 < lines.Length ? lines[i + 1] : null));
        }
        return [.. found];
    }

    /// <summary>The commands that a page's sentences name: what stands between back quotes and begins with <c>gradus</c>.</summary>
    public static IEnumerable<string> NamedBy(string page) =>
        Named().Matches(File.ReadAllText(Path.Combine(PackageFeed.Repository, page))).Select(m => m.Groups[1].Value.ReplaceLineEndings(" "));

    /// <summary>Parts a line as a shell does: white space outside quotation marks, and a comment behind <c>#</c>.</summary>
    public static List<string> Words(string line)
    {
        List<string> words = [];
        StringBuilder? word = null;
        char quote = '\0';
        foreach (char c in line)
        {
            if (quote != '\0')
            {
                if (c == quote)
                    quote = '\0';
                else
                    word!.Append(c);
            }
            else if (c is '"' or '\'')
            {
                quote = c;
                word ??= new StringBuilder();
            }
            else if (char.IsWhiteSpace(c))
            {
                if (word is not null)
                    words.Add(word.ToString());
                word = null;
            }
            else if (c == '#' && word is null)
            {
                break;
            }
            else
            {
                (word ??= new StringBuilder()).Append(c);
            }
        }
        if (word is not null)
            words.Add(word.ToString());
        return words;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Page}:{Line}: {Text}";

    private static DocumentedCommand Read(string page, int line, string text, string? shown)
    {
        List<string> words = Words(text.TrimStart('$', ' '));
        int start = words.IndexOf("gradus");
        (string, string)[] environment = [.. words[..start].Select(w => (w.Split('=')[0], w.Split('=', 2)[1]))];
        List<string> arguments = words[(start + 1)..];
        string? input = Take("<"), output = Take(">");
        return new DocumentedCommand(page, line, text, [.. arguments], environment, input, output, shown);

        string? Take(string sign)
        {
            int at = arguments.IndexOf(sign);
            if (at < 0)
                return null;
            string file = arguments[at + 1];
            arguments.RemoveRange(at, 2);
            return file;
        }
    }

    [GeneratedRegex(@"^(\$ )?([A-Z_]+=\S+ )*gradus ")]
    private static partial Regex CommandLine();

    [GeneratedRegex(@"(?<!`)`(?:[A-Z_]+=\S+ )?gradus ([^`]+)`(?!`)")]
    private static partial Regex Named();
}
