namespace Gradus.Generation;

/// <summary>
/// One change of the logits from which the next token of a sequence is chosen. A list of steps is applied in order; a forbidden
/// token gets −∞. Steps hold no state of a sequence, so one step serves any number of sequences and threads.
/// </summary>
public abstract class LogitsStep
{
    /// <summary>Changes the logits in place. Allocates nothing.</summary>
    /// <param name="logits">(V): the model's scores of the next token, or what earlier steps made of them.</param>
    /// <param name="state">The sequence so far.</param>
    public abstract void Apply(Span<float> logits, in GenerationState state);

    private protected static int AtLeastOne(int value, string name) =>
        value >= 1 ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} is at least 1.");

    private protected static float Positive(float value, string name) =>
        value > 0 && float.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} is a number above 0.");

    private protected static float Finite(float value, string name) =>
        float.IsFinite(value) ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} is a finite number.");

    private protected static float Probability(float value, string name) =>
        value is >= 0 and <= 1 ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} lies between 0 and 1.");

    private protected static int[] Ids(IReadOnlyList<int> ids, string name)
    {
        ArgumentNullException.ThrowIfNull(ids, name);
        foreach (int id in ids)
        {
            if (id < 0)
                throw new ArgumentOutOfRangeException(name, id, "A token id is not negative.");
        }
        return [.. ids];
    }

    /// <summary>Forbids tokens; ids beyond the vocabulary name no token and are passed over.</summary>
    private protected static void Forbid(Span<float> logits, ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            if ((uint)id < (uint)logits.Length)
                logits[id] = float.NegativeInfinity;
        }
    }
}

/// <summary>What a step knows about the sequence whose next token is chosen.</summary>
/// <param name="tokens">The prompt, then the tokens generated so far.</param>
/// <param name="promptLength">How many of them are the prompt.</param>
/// <param name="scratch">Working memory.</param>
public readonly ref struct GenerationState(ReadOnlySpan<int> tokens, int promptLength, LogitsScratch scratch)
{
    /// <summary>The prompt, then the tokens generated so far.</summary>
    public ReadOnlySpan<int> Tokens { get; } = tokens;

    /// <summary>The number of tokens of the prompt.</summary>
    public int PromptLength { get; } = promptLength;

    /// <summary>The tokens generated so far.</summary>
    public ReadOnlySpan<int> Generated => Tokens[PromptLength..];

    /// <summary>Working memory that a step may use until it returns.</summary>
    public LogitsScratch Scratch { get; } = scratch;
}

/// <summary>Working memory of steps, reused from token to token. It belongs to one thread at a time; contents are undefined at first.</summary>
public sealed class LogitsScratch
{
    private float[] _floats = [];
    private int[] _ints = [];
    private int[] _counts = [];
    private float[] _original = [];

    /// <summary>The given number of floats.</summary>
    public Span<float> Floats(int count) => Grow(ref _floats, count);

    /// <summary>The given number of integers.</summary>
    public Span<int> Ints(int count) => Grow(ref _ints, count);

    /// <summary>The given number of zeros; whoever writes to them puts the zeros back.</summary>
    public Span<int> Counts(int count) => Grow(ref _counts, count);

    /// <summary>Room for the logits as the model gave them.</summary>
    internal Span<float> Original(int count) => Grow(ref _original, count);

    private static Span<T> Grow<T>(ref T[] array, int count)
    {
        if (array.Length < count)
            array = new T[count];
        return array.AsSpan(0, count);
    }
}
