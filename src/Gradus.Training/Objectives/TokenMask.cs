// Which tokens a masked language model has to predict, and what it sees in their place. Sources: BERT (Devlin et al., 2019) and its code
// (an exact number, capped; 80% mask, 10% random, 10% kept), RoBERTa (Liu et al., 2019: a new mask each time), whole-word masking (the same
// code, 2019), n-grams (ALBERT, Lan et al., 2020; SpanBERT). Left out: masks that follow the model's own errors.

using System.ComponentModel.DataAnnotations;
using Gradus.Tensors;
using Gradus.Text;

namespace Gradus.Training.Objectives;

/// <summary>How many tokens are chosen.</summary>
public enum MaskCount
{
    /// <summary>Of each sequence exactly the rounded share, at least one (BERT, fairseq's RoBERTa).</summary>
    Exact,

    /// <summary>Each token by itself (transformers' collator); perhaps none.</summary>
    Independent,
}

/// <summary>Which tokens are masked.</summary>
/// <param name="Share">The share of a sequence's tokens that is to be predicted, special tokens counted, in (0, 1).</param>
/// <param name="MaskShare">The share of them that is replaced by the mask token.</param>
/// <param name="RandomShare">The share of them that is replaced by a random token; the rest stays as it is.</param>
/// <param name="Count">How many are chosen.</param>
/// <param name="Cap">The most tokens of a sequence; 0 for any number.</param>
/// <param name="WholeWords">Choose all tokens of a word together.</param>
/// <param name="LongestSpan">Choose runs of up to this many tokens (or words), a run of n with a probability ∝ 1/n.</param>
/// <param name="StaticCopies">0 for a new mask each time a text comes (dynamic); else each text has so many masks, by turns, as BERT's stored copies.</param>
public sealed record MaskOptions(
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)] double Share = 0.15,
    [Range(0.0, 1.0)] double MaskShare = 0.8,
    [Range(0.0, 1.0)] double RandomShare = 0.1,
    MaskCount Count = MaskCount.Exact,
    [Range(0, int.MaxValue)] int Cap = 0,
    bool WholeWords = false,
    [Range(1, 100)] int LongestSpan = 1,
    [Range(0, 1_000_000)] int StaticCopies = 0) : IValidatableObject
{
    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (MaskShare + RandomShare > 1)
            yield return new ValidationResult("and mask_share are more than 1 together; lower one", [nameof(RandomShare)]);
    }
}

/// <summary>What masking needs to know of a vocabulary.</summary>
public sealed class MaskVocabulary
{
    private readonly bool[] _special;
    private readonly bool[] _continues;

    /// <summary>Describes a vocabulary.</summary>
    /// <param name="mask">The mask token.</param>
    /// <param name="special">For every id whether it is a special token, which is neither predicted nor drawn.</param>
    /// <param name="continues">For every id whether it goes on with the word of the token before; null where no token does.</param>
    public MaskVocabulary(int mask, bool[] special, bool[]? continues = null)
    {
        ArgumentNullException.ThrowIfNull(special);
        ArgumentOutOfRangeException.ThrowIfNegative(mask);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(mask, special.Length);
        Mask = mask;
        _special = [.. special];
        _special[mask] = true;
        _continues = continues ?? new bool[special.Length];
        if (_special.All(s => s))
            throw new ArgumentException("All tokens of the vocabulary are special; there is nothing to mask.", nameof(special));
    }

    /// <summary>The vocabulary of a tokenizer. Words go on in tokens that begin with <c>##</c>, or without the mark of a space where others have one.</summary>
    /// <exception cref="InvalidDataException">The tokenizer has no mask token.</exception>
    public static MaskVocabulary Of(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        int mask = tokenizer.MaskId ?? throw new InvalidDataException("The tokenizer has no mask token; add one (mask_token), or take another objective.");
        string?[] texts = [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.IdToToken)];
        bool[] special = [.. texts.Select((t, i) => t is null || tokenizer.IsSpecial(i) || i == tokenizer.UnknownId)];
        bool wordPiece = texts.Any(t => t?.StartsWith("##", StringComparison.Ordinal) == true);
        char space = texts.Any(t => t?.StartsWith('▁') == true) ? '▁' : 'Ġ';
        return new MaskVocabulary(mask, special, [.. texts.Select(t => t is not null && (wordPiece ? t.StartsWith("##", StringComparison.Ordinal) : !t.StartsWith(space)))]);
    }

    /// <summary>The mask token.</summary>
    public int Mask { get; }

    /// <summary>The number of ids.</summary>
    public int Size => _special.Length;

    /// <summary>Whether an id is a special token.</summary>
    public bool IsSpecial(int id) => _special[id];

    /// <summary>Whether a token goes on with the word of the token before.</summary>
    public bool Continues(int id) => _continues[id];

    /// <summary>A random token, none of the special ones, as a function of a key and an index.</summary>
    public int Draw(ulong key, long index)
    {
        for (ulong attempt = 0; ; attempt++)
        {
            int id = CounterRandom.Below(attempt == 0 ? key : CounterRandom.Derive(key, attempt), index, Size);
            if (!_special[id])
                return id;
        }
    }
}

/// <summary>Masks sequences.</summary>
/// <param name="options">Which tokens.</param>
/// <param name="vocabulary">The vocabulary.</param>
/// <param name="seed">What masks are drawn from.</param>
public sealed class TokenMask(MaskOptions options, MaskVocabulary vocabulary, ulong seed)
{
    /// <summary>A target that does not count.</summary>
    private const int Ignored = Data.MicroBatch.Ignored;

    private readonly ulong _key = CounterRandom.Derive(seed, "mask");

    /// <summary>Replaces the chosen tokens of a sequence in place.</summary>
    /// <param name="ids">The sequence; what the model sees afterwards.</param>
    /// <param name="targets">As long: the tokens that were chosen, −100 at the others.</param>
    /// <param name="number">The number of the sequence in the stream, which dynamic masks depend on.</param>
    /// <returns>How many were chosen.</returns>
    public int Apply(Span<int> ids, Span<int> targets, long number)
    {
        targets.Fill(Ignored);
        ulong key = CounterRandom.Derive(_key, KeyOf(ids, number));
        List<int> chosen = Choose(ids, key);
        ulong replace = CounterRandom.Derive(key, "replace"), draw = CounterRandom.Derive(key, "draw");
        foreach (int i in chosen)
        {
            targets[i] = ids[i];
            double u = CounterRandom.Uniform(replace, i);
            if (u < options.MaskShare)
                ids[i] = vocabulary.Mask;
            else if (u < options.MaskShare + options.RandomShare)
                ids[i] = vocabulary.Draw(draw, i);
        }
        return chosen.Count;
    }

    // A static mask is a function of the text itself and of which of its turns it is.
    private ulong KeyOf(ReadOnlySpan<int> ids, long number)
    {
        if (options.StaticCopies == 0)
            return (ulong)number;
        ulong key = (ulong)ids.Length;
        foreach (int id in ids)
            key = CounterRandom.Derive(key, (ulong)id);
        return CounterRandom.Derive(key, (ulong)(number % options.StaticCopies));
    }

    private List<int> Choose(ReadOnlySpan<int> ids, ulong key)
    {
        List<(int Start, int Count)> units = Units(ids);
        if (units.Count == 0)
            return [];
        int candidates = units.Sum(u => u.Count);
        int wanted = options.Count == MaskCount.Exact ? Math.Max(1, (int)Math.Round(options.Share * ids.Length, MidpointRounding.ToEven)) : int.MaxValue;
        int most = Math.Min(candidates, options.Cap > 0 ? Math.Min(options.Cap, wanted) : wanted);
        return options.Count == MaskCount.Exact ? ChooseExactly(units, most, key) : ChooseEach(units, most, key);
    }

    // Runs of units from random places on, until there are as many tokens as wanted; what would be too many is passed over.
    private List<int> ChooseExactly(List<(int Start, int Count)> units, int most, ulong key)
    {
        int[] order = [.. Enumerable.Range(0, units.Count)];
        ulong shuffle = CounterRandom.Derive(key, "order"), lengths = CounterRandom.Derive(key, "lengths");
        for (int i = order.Length - 1; i > 0; i--)
        {
            int j = CounterRandom.Below(shuffle, i, i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        SortedSet<int> chosen = [];
        bool[] taken = new bool[units.Count];
        foreach (int first in order)
        {
            if (chosen.Count >= most)
                break;
            int run = SpanLength(lengths, first);
            for (int u = first; u < Math.Min(units.Count, first + run) && !taken[u]; u++)
            {
                // A run ends where something that cannot be masked lies between.
                if ((u > first && units[u].Start != units[u - 1].Start + units[u - 1].Count) || chosen.Count + units[u].Count > most)
                    break;
                taken[u] = true;
                for (int i = 0; i < units[u].Count; i++)
                    chosen.Add(units[u].Start + i);
            }
        }
        // A word that is longer than all that may be chosen is cut.
        return chosen.Count > 0 ? [.. chosen] : [.. Enumerable.Range(units[order[0]].Start, Math.Min(most, units[order[0]].Count))];
    }

    private List<int> ChooseEach(List<(int Start, int Count)> units, int most, ulong key)
    {
        ulong each = CounterRandom.Derive(key, "each");
        List<int> chosen = [];
        foreach ((int start, int count) in units)
        {
            if (CounterRandom.Uniform(each, start) < options.Share && chosen.Count + count <= most)
                chosen.AddRange(Enumerable.Range(start, count));
        }
        return chosen;
    }

    private int SpanLength(ulong key, int index)
    {
        if (options.LongestSpan == 1)
            return 1;
        double total = 0, u = CounterRandom.Uniform(key, index);
        for (int n = 1; n <= options.LongestSpan; n++)
            total += 1.0 / n;
        for (int n = 1; n < options.LongestSpan; n++)
        {
            u -= 1.0 / n / total;
            if (u < 0)
                return n;
        }
        return options.LongestSpan;
    }

    // What is chosen together: a token, or a word's tokens. Special tokens belong to none and part words.
    private List<(int Start, int Count)> Units(ReadOnlySpan<int> ids)
    {
        List<(int Start, int Count)> units = [];
        for (int i = 0; i < ids.Length; i++)
        {
            if (vocabulary.IsSpecial(ids[i]))
                continue;
            if (options.WholeWords && units.Count > 0 && vocabulary.Continues(ids[i]) && units[^1].Start + units[^1].Count == i)
                units[^1] = (units[^1].Start, units[^1].Count + 1);
            else
                units.Add((i, 1));
        }
        return units;
    }
}
