using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus tokenizer train</c>.</summary>
internal static class TokenizerTrainVerb
{
    private static readonly Argument<string[]> Inputs = new("TEXT")
    {
        Description = "Files: text (.txt), or JSON lines with a field \"text\" (.jsonl), both also .gz; - or none: standard input.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string> Output = new("--output", "-o")
    {
        Description = "The folder to write: tokenizer.json, its companions and a report.",
        HelpName = "FOLDER",
        Required = true,
    };

    private static readonly Option<TokenizerKind> Kind = new("--type")
    {
        Description = "bpe: byte-level byte-pair encoding, as GPT-2 and Llama 3 have; character: a token per character.",
        HelpName = "bpe|character",
    };

    private static readonly Option<int> VocabularySize = Numeric.Option(
        "--vocabulary-size", "Tokens wanted, the 256 bytes and the special ones included (bpe).", 256, 1 << 22, 4096);

    private static readonly Option<string[]> SpecialTokens = new("--special-token")
    {
        Description = "A token with one of the first ids that is never cut; repeat it for more.",
        HelpName = "TOKEN",
        DefaultValueFactory = _ => ["<|endoftext|>"],
    };

    private static readonly Option<int> MinFrequency = Numeric.Option(
        "--min-frequency", "How often a pair must occur to become a token (bpe).", 1, int.MaxValue, 2);

    private static readonly Option<string?> Pattern = new("--pattern")
    {
        Description = "The regular expression that cuts text into pieces first (bpe); GPT-2's without it.",
        HelpName = "REGEX",
    };

    private static readonly Option<string?> Unknown = new("--unknown-token")
    {
        Description = "The token for characters that the text does not have (character); without it they are dropped.",
        HelpName = "TOKEN",
    };

    private static readonly Option<bool> Json = new("--json") { Description = "Print the report as JSON." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("train", "Train a tokenizer on text, and report how well it compresses.")
        {
            Inputs, Output, Kind, VocabularySize, SpecialTokens, MinFrequency, Pattern, Unknown, Json,
        };
        verb.Examples =
        [
            ("tokenizer train stories.txt --vocabulary-size 2048 -o my-tokenizer", "trains a byte-level BPE of 2,048 tokens"),
            ("tokenizer train shakespeare.txt --type character -o characters", "gives every character of the text an id"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        TokenizerTrainingSettings settings = new(
            parse.GetValue(Kind),
            parse.GetValue(VocabularySize),
            parse.GetValue(SpecialTokens)!,
            parse.GetValue(MinFrequency),
            parse.GetValue(Pattern),
            parse.GetValue(Unknown));
        if (settings.SpecialTokens.FirstOrDefault(string.IsNullOrEmpty) is not null)
            throw new UsageException("--special-token is empty; give the text of the token.");
        int least = 256 + settings.SpecialTokens.Count;
        if (settings.Kind == TokenizerKind.Bpe && settings.VocabularySize < least)
            throw new UsageException($"--vocabulary-size {settings.VocabularySize}: at least {least} are needed for 256 bytes and {settings.SpecialTokens.Count} special tokens.");
        string folder = parse.GetRequiredValue(Output);
        TrainedTokenizer trained = TokenizerTraining.Train(context, settings, TextInput.Inputs(context, parse.GetValue(Inputs)));
        TokenizerTraining.Write(folder, trained);
        if (parse.GetValue(Json))
            context.WriteJson(TokenizerTraining.Report(trained.Report));
        else
            Print(context, trained.Report, folder);
        return ExitCode.Done;
    }

    private static void Print(CommandContext context, TokenizerTrainingReport report, string folder)
    {
        Facts facts = new(context);
        facts.Add("vocabulary", $"{report.VocabularySize:N0} tokens, {report.UsedTokens:N0} of them used by the text");
        facts.Add("text", $"{report.TextBytes:N0} bytes → {report.TextTokens:N0} tokens, {report.BytesPerToken:0.000} bytes per token");
        if (report.LongestTokens.Count > 0)
            facts.Add("longest tokens", string.Join(" ", report.LongestTokens.Take(12).Select(Facts.Quote)));
        facts.Add("written to", folder);
    }
}
