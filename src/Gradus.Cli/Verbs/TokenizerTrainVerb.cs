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
        Description = "bpe: byte-level byte-pair encoding, as GPT-2 and Llama 3 have; unigram: SentencePiece's, as T5 has; wordpiece: as BERT has; "
            + "character: a token per character.",
        HelpName = "bpe|unigram|wordpiece|character",
    };

    private static readonly Option<int> VocabularySize = Numeric.Option(
        "--vocabulary-size", "Tokens wanted, the special ones and the 256 bytes (bpe) or the characters of the text (unigram, wordpiece) included.", 1, 1 << 22, 4096);

    private static readonly Option<string[]> SpecialTokens = new("--special-token")
    {
        Description = "A token with one of the first ids that is never cut; repeat it for more. Without it <|endoftext|> (bpe, character), "
            + "<unk> <s> </s> (unigram), or BERT's five (wordpiece).",
        HelpName = "TOKEN",
    };

    private static readonly Option<int> MinFrequency = Numeric.Option(
        "--min-frequency", "How often a pair must occur to become a token (bpe, wordpiece), or a piece to be tried (unigram).", 1, int.MaxValue, 2);

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

    private static readonly Option<bool> Cased = new("--cased") { Description = "Tell upper from lower case, and keep accents (wordpiece)." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print the report as JSON." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("train", "Train a tokenizer on text, and report how well it compresses.")
        {
            Inputs, Output, Kind, VocabularySize, SpecialTokens, MinFrequency, Pattern, Unknown, Cased, Json,
        };
        verb.Examples =
        [
            ("tokenizer train stories.txt --vocabulary-size 2048 -o my-tokenizer", "trains a byte-level BPE of 2,048 tokens"),
            ("tokenizer train stories.txt --type unigram --vocabulary-size 2048 -o my-tokenizer", "trains pieces with probabilities, as SentencePiece does"),
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
            parse.GetValue(SpecialTokens) is { Length: > 0 } given ? given : null,
            parse.GetValue(MinFrequency),
            parse.GetValue(Pattern),
            parse.GetValue(Unknown),
            parse.GetValue(Cased));
        Check(parse, settings);
        string folder = parse.GetRequiredValue(Output);
        TrainedTokenizer trained = TokenizerTraining.Train(context, settings, TextInput.Inputs(context, parse.GetValue(Inputs)));
        TokenizerTraining.Write(folder, trained);
        if (parse.GetValue(Json))
            context.WriteJson(TokenizerTraining.Report(trained.Report));
        else
            Print(context, trained.Report, folder);
        return ExitCode.Done;
    }

    // What a kind cannot do is said rather than passed over.
    private static void Check(ParseResult parse, TokenizerTrainingSettings settings)
    {
        if (settings.SpecialTokens?.FirstOrDefault(string.IsNullOrEmpty) is not null)
            throw new UsageException("--special-token is empty; give the text of the token.");
        (Option Option, TokenizerKind[] Kinds)[] some =
        [
            (Pattern, [TokenizerKind.Bpe]),
            (Unknown, [TokenizerKind.Character]),
            (Cased, [TokenizerKind.WordPiece]),
            (VocabularySize, [TokenizerKind.Bpe, TokenizerKind.Unigram, TokenizerKind.WordPiece]),
            (MinFrequency, [TokenizerKind.Bpe, TokenizerKind.Unigram, TokenizerKind.WordPiece]),
        ];
        foreach ((Option option, TokenizerKind[] kinds) in some)
        {
            if (parse.GetResult(option) is { Implicit: false } && !kinds.Contains(settings.Kind))
                throw new UsageException($"{option.Name} is for --type {string.Join(" or ", kinds.Select(k => k.ToString().ToLowerInvariant()))} only; leave it out.");
        }
        int special = (settings.SpecialTokens ?? TokenizerTraining.UsualTokens(settings.Kind)).Count;
        if (settings.Kind == TokenizerKind.Bpe && settings.VocabularySize < 256 + special)
            throw new UsageException($"--vocabulary-size {settings.VocabularySize}: at least {256 + special} are needed for 256 bytes and {special} special tokens.");
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
