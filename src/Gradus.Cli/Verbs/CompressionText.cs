using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Text;
using Gradus.Training.Data.Tokens;

namespace Gradus.Cli.Verbs;

/// <summary>The text that compressing a model reads: some to measure activations, other text to measure the loss.</summary>
internal static class CompressionText
{
    private const double HeldOut = 0.1;

    /// <summary>Files of text to measure activations on.</summary>
    public static Option<string[]> Data { get; } = new("--data")
    {
        Description = "Text to measure activations on: files, or named data sets ($data/NAME/FILE). The last tenth measures the loss where --test is not given.",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>Files of text to measure the loss on.</summary>
    public static Option<string[]> Test { get; } = new("--test")
    {
        Description = "Text to measure the loss on, which should be other text than --data.",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>Pieces of text to measure activations on.</summary>
    public static Option<int> Samples { get; } = Numeric.Option("--samples", "The most pieces of text to measure activations on.", 1, 1 << 20, 128);

    /// <summary>Tokens of such a piece.</summary>
    public static Option<int> SampleTokens { get; } = Numeric.Option("--sample-tokens", "Tokens of such a piece, at most the model's context.", 16, 1 << 20, 512);

    /// <summary>Tokens to measure the loss on.</summary>
    public static Option<int> TestTokens { get; } = Numeric.Option("--test-tokens", "The most tokens to measure the loss on.", 2, int.MaxValue, 1 << 16);

    /// <summary>Whether missing data sets are fetched.</summary>
    public static Option<bool> Fetch { get; } = new("--fetch") { Description = "Fetch named data sets that are missing, without a question." };

    /// <summary>Reads and tokenizes the text.</summary>
    /// <returns>The tokens to measure activations on, and those to measure the loss on; null where none were asked for.</returns>
    public static (TokenSequence? Calibration, int[]? Test) Read(CommandContext context, ParseResult parse, Tokenizer? tokenizer)
    {
        string[] data = parse.GetValue(Data) ?? [], test = parse.GetValue(Test) ?? [];
        if (data.Length + test.Length == 0)
            return (null, null);
        if (tokenizer is null)
            throw new UsageException("The model has no tokenizer to read text with; give one with --tokenizer.");
        NamedData names = new(context, parse.GetValue(Fetch));
        return Read(context, names.Resolve(data), names.Resolve(test), tokenizer, parse.GetValue(TestTokens));
    }

    /// <summary>Reads and tokenizes files.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="data">Text to measure activations on.</param>
    /// <param name="test">Text to measure the loss on; where there is none, the last tenth of the data.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="testTokens">The most tokens to measure the loss on.</param>
    public static (TokenSequence? Calibration, int[]? Test) Read(CommandContext context, string[] data, string[] test, Tokenizer tokenizer, int testTokens)
    {
        int[]? held = test.Length == 0 ? null : Tokens(test, tokenizer, context).ToArray();
        if (data.Length == 0)
            return (null, Limited(held!));
        Span<int> all = Tokens(data, tokenizer, context);
        int kept = held is null ? all.Length - (int)(all.Length * HeldOut) : all.Length;
        return (TokenSequence.Of(all[..kept].ToArray()), Limited(held ?? all[kept..].ToArray()));

        int[] Limited(int[] tokens) => tokens.Length <= testTokens ? tokens : tokens[..testTokens];
    }

    private static Span<int> Tokens(string[] files, Tokenizer tokenizer, CommandContext context)
    {
        TextFileSet set = new(files, []);
        set.ThrowIfEmpty();
        using PretrainingText text = PretrainingText.Read(set, tokenizer, cache: null, cancel: context.Cancellation);
        int[] tokens = new int[checked((int)text.Train.Length)];
        text.Train.Read(0, tokens);
        return tokens;
    }
}
