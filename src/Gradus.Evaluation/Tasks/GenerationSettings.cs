using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Evaluation.Tasks;

/// <summary>
/// When an answer ends and how it is drawn: <c>generation_kwargs</c> of lm-evaluation-harness, with its rules for what is absent.
/// Source: https://github.com/EleutherAI/lm-evaluation-harness, normalize_gen_kwargs and postprocess_generated_text.
/// </summary>
public sealed class GenerationSettings
{
    /// <summary>New tokens where a task does not say.</summary>
    public const int DefaultMaxTokens = 256;

    private static readonly string[] TokenKeys = ["max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"];
    private static readonly string[] KnownKeys = [.. TokenKeys, "until", "do_sample", "temperature", "top_p", "top_k", "min_p"];

    /// <summary>Reads the arguments.</summary>
    /// <param name="arguments">The keys of <c>generation_kwargs</c>.</param>
    /// <exception cref="InvalidDataException">A key is not known here, or a value has the wrong type or range; one line.</exception>
    public GenerationSettings(JsonObject arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        Arguments = (JsonObject)arguments.DeepClone();
        if (arguments.FirstOrDefault(a => !KnownKeys.Contains(a.Key)) is { Key: { } unknown })
            throw new InvalidDataException($"generation_kwargs: {unknown} is not understood; known are {string.Join(", ", KnownKeys)}.");
        Until = arguments["until"] switch
        {
            null => [],
            JsonArray list => [.. list.Select(t => t?.ToString() ?? "")],
            JsonNode one => [one.ToString()],
        };
        string? given = TokenKeys.FirstOrDefault(key => arguments[key] is not null);
        MaxTokens = given is null ? DefaultMaxTokens : (int)Number(given, 1, int.MaxValue);
        Temperature = arguments["temperature"] is null ? null : Number("temperature", 0, 1000);
        bool? sample = arguments["do_sample"] is { } flag
            ? flag.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? (bool)flag : throw Wrong("do_sample", "true or false")
            : null;
        DoSample = sample ?? Temperature > 0;
        if (sample == false)
            Temperature = 0;
        TopP = arguments["top_p"] is null ? 1 : Number("top_p", 0, 1);
        TopK = arguments["top_k"] is null ? 0 : (int)Number("top_k", 0, int.MaxValue);
        MinP = arguments["min_p"] is null ? 0 : Number("min_p", 0, 1);
    }

    /// <summary>The likeliest token each time, up to a number of tokens.</summary>
    /// <param name="maxTokens">New tokens at most, 1 or more.</param>
    /// <param name="until">Texts that end the answer and are not part of it.</param>
    public static GenerationSettings Greedy(int maxTokens, params IEnumerable<string> until) => new(new JsonObject
    {
        ["until"] = new JsonArray([.. until.Select(t => (JsonNode)t)]),
        ["do_sample"] = false,
        ["temperature"] = 0.0,
        ["max_gen_toks"] = maxTokens,
    });

    /// <summary>The arguments as they were given.</summary>
    public JsonObject Arguments { get; }

    /// <summary>Texts that end the answer and are not part of it.</summary>
    public IReadOnlyList<string> Until { get; }

    /// <summary>New tokens at most.</summary>
    public int MaxTokens { get; }

    /// <summary>Whether tokens are drawn; the likeliest is taken otherwise.</summary>
    public bool DoSample { get; }

    /// <summary>The temperature, or null where none was given; 0 without drawing.</summary>
    public double? Temperature { get; }

    /// <summary>The probability of the likeliest tokens that are drawn from, 0 to 1.</summary>
    public double TopP { get; }

    /// <summary>How many of the likeliest tokens are drawn from; 0 for all.</summary>
    public int TopK { get; }

    /// <summary>The part of the likeliest token's probability that others need, 0 to 1.</summary>
    public double MinP { get; }

    /// <summary>An answer up to the first text that ends it; what precedes <paramref name="thinkEnd"/> is dropped first.</summary>
    /// <param name="generation">What the model wrote.</param>
    /// <param name="thinkEnd">The text that ends a model's reasoning, or null.</param>
    public string Cut(string generation, string? thinkEnd = null) => Cut(generation, Until, thinkEnd);

    /// <summary>A text up to the first of some others, one after the other.</summary>
    /// <param name="generation">The text.</param>
    /// <param name="until">The texts that end it; empty ones do not.</param>
    /// <param name="thinkEnd">The text that ends a model's reasoning, or null.</param>
    public static string Cut(string generation, IReadOnlyList<string> until, string? thinkEnd = null)
    {
        ArgumentNullException.ThrowIfNull(generation);
        ArgumentNullException.ThrowIfNull(until);
        if (!string.IsNullOrEmpty(thinkEnd) && generation.LastIndexOf(thinkEnd, StringComparison.Ordinal) is >= 0 and int think)
            generation = Metrics.PythonText.StripStart(generation[(think + thinkEnd.Length)..]);
        else if (!string.IsNullOrEmpty(thinkEnd))
            generation = Metrics.PythonText.StripStart(generation);
        foreach (string end in until.Where(e => e.Length > 0))
        {
            int at = generation.IndexOf(end, StringComparison.Ordinal);
            generation = at >= 0 ? generation[..at] : generation;
        }
        return generation;
    }

    /// <summary>Makes a prompt and its answer fit a context: first the answer gets shorter, if that is allowed, then the prompt.</summary>
    /// <param name="tokens">The prompt.</param>
    /// <param name="maxTokens">New tokens wanted.</param>
    /// <param name="contextLength">What prompt and answer may have together.</param>
    /// <param name="minTokens">New tokens that stay in any case.</param>
    /// <param name="side">Where the prompt is cut: left, right or middle.</param>
    /// <param name="shrink">Whether the answer may get shorter.</param>
    /// <exception cref="InvalidDataException">The context is too small for the answer; one line.</exception>
    public static (int[] Tokens, int MaxTokens) Fit(int[] tokens, int maxTokens, int contextLength, int minTokens = 1, string side = "left", bool shrink = false)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        if (tokens.Length + (long)maxTokens <= contextLength)
            return (tokens, maxTokens);
        if (!shrink)
            return (Shorten(tokens, contextLength - maxTokens, side), maxTokens);
        if (contextLength - tokens.Length >= minTokens)
            return (tokens, contextLength - tokens.Length);
        return contextLength > minTokens
            ? (Shorten(tokens, contextLength - minTokens, side), minTokens)
            : throw new InvalidDataException($"The model's context of {contextLength} tokens has no room for a prompt and {minTokens} new tokens; ask for fewer.");
    }

    // Python's slices: a length of 0 or less counts from the other end, as the reference does.
    private static int[] Shorten(int[] tokens, int length, string side)
    {
        switch (side)
        {
            case "left":
                return Slice(tokens, -length, tokens.Length);
            case "right":
                return Slice(tokens, 0, length);
            case "middle":
                int left = (int)Math.Floor(length / 2.0);
                return [.. Slice(tokens, 0, left), .. Slice(tokens, -(length - left), tokens.Length)];
            default:
                throw new ArgumentException($"The side is left, right or middle, not {side}.", nameof(side));
        }
    }

    private static int[] Slice(int[] tokens, int from, int to)
    {
        int start = Math.Clamp(from < 0 ? from + tokens.Length : from, 0, tokens.Length), end = Math.Clamp(to < 0 ? to + tokens.Length : to, 0, tokens.Length);
        return start < end ? tokens[start..end] : [];
    }

    private double Number(string key, double least, double most)
    {
        JsonNode node = Arguments[key]!;
        return double.TryParse(node.GetValueKind() == JsonValueKind.String ? (string)node! : node.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= least && value <= most
            ? value
            : throw Wrong(key, string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}"));
    }

    private InvalidDataException Wrong(string key, string wanted) => new($"generation_kwargs: {key} is {Arguments[key]!.ToJsonString()}; give {wanted}.");
}
