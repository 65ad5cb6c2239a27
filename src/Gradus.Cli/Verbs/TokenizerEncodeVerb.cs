using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus tokenizer encode</c>.</summary>
internal static class TokenizerEncodeVerb
{
    private static readonly Argument<string> Source = TokenizerVerb.Argument();

    private static readonly Argument<string[]> Inputs = new("FILE")
    {
        Description = "Files of UTF-8 text; - or none: standard input.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> Text = new("--text") { Description = "Encode this text instead of files.", HelpName = "TEXT" };

    private static readonly Option<bool> Lines = new("--lines") { Description = "Encode every line by itself, without its end." };

    private static readonly Option<bool> Plain = new("--no-special-tokens") { Description = "Put no special tokens around the text." };

    private static readonly Option<bool> Count = new("--count") { Description = "Print only how many tokens there are." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per text: ids, tokens, offsets." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("encode", "Turn text into token ids, one line of ids per text.") { Source, Inputs, Text, Lines, Plain, Count, Json };
        verb.Examples =
        [
            ("tokenizer encode my-tokenizer --text \"Once upon a time\"", "prints the ids of a text"),
            ("tokenizer encode my-tokenizer book.txt --count", "counts the tokens of a file"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        Tokenizer tokenizer = TokenizerVerb.Open(parse.GetRequiredValue(Source));
        IEnumerable<string> texts = parse.GetValue(Text) is { } given
            ? [given]
            : TextInput.Inputs(context, parse.GetValue(Inputs)).Select(path => TextInput.ReadAll(context, path));
        if (parse.GetValue(Lines))
            texts = texts.SelectMany(SplitLines);
        bool special = !parse.GetValue(Plain);
        foreach (string text in texts)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (parse.GetValue(Json))
                context.WriteJsonLine(Describe(tokenizer, text, special, parse.GetValue(Count)));
            else if (parse.GetValue(Count))
                context.Out.WriteLine(tokenizer.CountTokens(text, special));
            else
                context.Out.WriteLine(string.Join(' ', tokenizer.Encode(text, special)));
        }
        return ExitCode.Done;
    }

    private static JsonObject Describe(Tokenizer tokenizer, string text, bool special, bool onlyCount)
    {
        if (onlyCount)
            return new JsonObject { ["count"] = tokenizer.CountTokens(text, special) };
        TokenEncoding encoding = tokenizer.EncodeWithOffsets(text, special);
        return new JsonObject
        {
            ["count"] = encoding.Length,
            ["ids"] = new JsonArray([.. encoding.Ids.Select(id => (JsonNode)id)]),
            ["tokens"] = new JsonArray([.. encoding.Ids.Select(id => (JsonNode?)tokenizer.IdToToken(id))]),
            ["offsets"] = new JsonArray([.. encoding.Offsets.Select(o => (JsonNode)new JsonArray(o.Start, o.End))]),
        };
    }

    private static IEnumerable<string> SplitLines(string text)
    {
        using StringReader reader = new(text);
        while (reader.ReadLine() is { } line)
            yield return line;
    }
}
