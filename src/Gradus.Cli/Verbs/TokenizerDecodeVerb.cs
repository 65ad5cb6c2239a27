using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus tokenizer decode</c>.</summary>
internal static class TokenizerDecodeVerb
{
    private static readonly char[] Separators = [' ', ',', '[', ']', '\t', '\r'];

    private static readonly Argument<string> Source = TokenizerVerb.Argument();

    private static readonly Argument<string[]> Ids = new("ID")
    {
        Description = "Token ids; none: standard input, one text per line, ids parted by spaces or commas.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<bool> Special = new("--special-tokens") { Description = "Keep special tokens in the text." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per text." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("decode", "Turn token ids back into text. Texts are written as they are, without a line end of their own.") { Source, Ids, Special, Json };
        verb.Examples =
        [
            ("tokenizer decode my-tokenizer 412 87 3", "prints the text of three tokens"),
            ("tokenizer encode my-tokenizer a.txt | gradus tokenizer decode my-tokenizer", "gives back the file"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        Tokenizer tokenizer = TokenizerVerb.Open(parse.GetRequiredValue(Source));
        IEnumerable<string> lines = parse.GetValue(Ids) is { Length: > 0 } given
            ? [string.Join(' ', given)]
            : TextInput.ReadAll(context, TextInput.Inputs(context, null)[0]).Split('\n').Where(l => !string.IsNullOrWhiteSpace(l));
        foreach (string line in lines)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            int[] ids = [.. line.Split(Separators, StringSplitOptions.RemoveEmptyEntries).Select(word => Id(word, tokenizer))];
            string text = tokenizer.Decode(ids, skipSpecialTokens: !parse.GetValue(Special));
            if (parse.GetValue(Json))
                context.WriteJsonLine(new JsonObject { ["count"] = ids.Length, ["text"] = text });
            else
                TerminalText.Write(context, text);
        }
        if (context.OutputIsTerminal && !parse.GetValue(Json))
            context.Out.WriteLine();
        return ExitCode.Done;
    }

    private static int Id(string word, Tokenizer tokenizer)
    {
        if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
            throw new FormatException($"{Facts.Quote(word)} is not a token id; ids are whole numbers from 0 to {tokenizer.VocabularySize - 1}.");
        return id < tokenizer.VocabularySize
            ? id
            : throw new FormatException($"the tokenizer has no token {id}; its ids go from 0 to {tokenizer.VocabularySize - 1}.");
    }
}
