// Denoising for models with an encoder: the source is a text with pieces cut out, the target the pieces. Sources: span corruption (Raffel et
// al., "T5", 2020, and its preprocessors), prefix language modelling (the same, 3.2), the mixture of denoisers (Tay et al., "UL2", 2022).
// Left out: prefixes in decoders, which would have to see them both ways.

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>A way of cutting pieces out of a text.</summary>
/// <param name="Weight">How often it is taken, beside the others.</param>
/// <param name="Mode">A token at the beginning of the source that says which denoiser it is (UL2's [R], [S], [X]); null for none.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SpanDenoiser), "spans")]
[JsonDerivedType(typeof(PrefixDenoiser), "prefix")]
public abstract record Denoiser(double Weight = 1, int? Mode = null)
{
    /// <summary>For every token whether it is cut out; at least one is not, and at least one is.</summary>
    /// <param name="length">The text's tokens, ≥ 2.</param>
    /// <param name="key">What to draw from.</param>
    public abstract bool[] Noise(int length, ulong key);
}

/// <summary>Spans, each replaced by a sentinel: T5's span corruption.</summary>
/// <param name="Share">The share of tokens that is cut out, in (0, 1).</param>
/// <param name="MeanSpan">The mean length of a span, ≥ 1.</param>
/// <param name="Weight">How often it is taken.</param>
/// <param name="Mode">A token at the beginning of the source, or null.</param>
public sealed record SpanDenoiser(
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)] double Share = 0.15,
    [Range(1.0, 10_000.0)] double MeanSpan = 3,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Weight = 1,
    int? Mode = null) : Denoiser(Weight, Mode)
{
    /// <summary>How many tokens and spans are cut out of a text of a length.</summary>
    public (int Tokens, int Spans) CountsOf(int length)
    {
        int tokens = Math.Clamp((int)Math.Round(length * Share, MidpointRounding.ToEven), 1, length - 1);
        int spans = Math.Clamp((int)Math.Round(tokens / MeanSpan, MidpointRounding.ToEven), 1, Math.Min(tokens, length - tokens));
        return (tokens, spans);
    }

    /// <inheritdoc/>
    public override bool[] Noise(int length, ulong key)
    {
        (int tokens, int spans) = CountsOf(length);
        int[] kept = Segments(length - tokens, spans, CounterRandom.Derive(key, "kept")), cut = Segments(tokens, spans, CounterRandom.Derive(key, "cut"));
        bool[] noise = new bool[length];
        int at = 0;
        for (int s = 0; s < spans; s++)
        {
            at += kept[s];
            noise.AsSpan(at, cut[s]).Fill(true);
            at += cut[s];
        }
        return noise;
    }

    // So many tokens in so many segments of at least one, all divisions equally likely: which of the places between tokens are borders.
    private static int[] Segments(int tokens, int segments, ulong key)
    {
        bool[] border = new bool[tokens - 1];
        for (int left = segments - 1, i = 0; left > 0; i++)
        {
            // The borders still to be set, spread over the places that are left.
            if (CounterRandom.Below(key, i, border.Length - i) < left)
            {
                border[i] = true;
                left--;
            }
        }
        int[] lengths = new int[segments];
        int segment = 0;
        lengths[0] = 1;
        foreach (bool next in border)
            lengths[next ? ++segment : segment]++;
        return lengths;
    }
}

/// <summary>The end of the text, from a random place on: a prefix language model; the end alone is the target, without sentinels.</summary>
/// <param name="Share">The mean share that is cut out; it is uniform between almost nothing and twice this, at most all but the first token.</param>
/// <param name="Weight">How often it is taken.</param>
/// <param name="Mode">A token at the beginning of the source, or null.</param>
public sealed record PrefixDenoiser(
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)] double Share = 0.5,
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)] double Weight = 1,
    int? Mode = null) : Denoiser(Weight, Mode)
{
    /// <inheritdoc/>
    public override bool[] Noise(int length, ulong key)
    {
        int most = Math.Clamp((int)Math.Round(2 * Share * length, MidpointRounding.ToEven), 1, length - 1);
        int cut = 1 + CounterRandom.Below(key, 0, most);
        return [.. Enumerable.Range(0, length).Select(i => i >= length - cut)];
    }
}

/// <summary>What denoising needs to know of a vocabulary.</summary>
/// <param name="FirstSentinel">The sentinel of the first span; those of the next count down from it (T5: the last id of the vocabulary).</param>
/// <param name="Sentinels">How many there are (T5: 100).</param>
/// <param name="Start">The token that the decoder begins with.</param>
/// <param name="End">The token that ends sources and targets.</param>
public sealed record DenoisingVocabulary(int FirstSentinel, int Sentinels, int Start, int End);

/// <summary>Texts with pieces cut out as sources, the pieces as targets, for <see cref="NextToken"/>.</summary>
public sealed class Denoising : BatchSource
{
    private readonly BatchSource _texts;
    private readonly IReadOnlyList<Denoiser> _denoisers;
    private readonly DenoisingVocabulary _vocabulary;
    private readonly ulong _key;

    /// <summary>Cuts texts.</summary>
    /// <param name="texts">The texts: sequences of at least two tokens, without special tokens; shorter ones are left out.</param>
    /// <param name="denoisers">At least one.</param>
    /// <param name="vocabulary">Sentinels, start and end.</param>
    /// <param name="seed">What is drawn from.</param>
    public Denoising(BatchSource texts, IReadOnlyList<Denoiser> denoisers, DenoisingVocabulary vocabulary, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(denoisers);
        ArgumentNullException.ThrowIfNull(vocabulary);
        ArgumentOutOfRangeException.ThrowIfZero(denoisers.Count, nameof(denoisers));
        (_texts, _denoisers, _vocabulary, _key) = (texts, denoisers, vocabulary, CounterRandom.Derive(seed, "denoising"));
    }

    /// <summary>UL2's mixture: short spans (R), the end of the text (S), long or many spans (X).</summary>
    /// <param name="r">The mode token of R, or null for none.</param>
    /// <param name="s">The mode token of S, or null for none.</param>
    /// <param name="x">The mode token of X, or null for none.</param>
    public static IReadOnlyList<Denoiser> Ul2(int? r = null, int? s = null, int? x = null) =>
    [
        new SpanDenoiser(0.15, 3, Mode: r), new SpanDenoiser(0.15, 8, Mode: r), new PrefixDenoiser(0.25, Mode: s),
        new SpanDenoiser(0.5, 3, Mode: x), new SpanDenoiser(0.5, 8, Mode: x), new SpanDenoiser(0.15, 64, Mode: x), new SpanDenoiser(0.5, 64, Mode: x),
    ];

    /// <inheritdoc/>
    public override MicroBatch this[long index] => Cut(_texts[index], index);

    /// <inheritdoc/>
    public override long BatchesOf(long passes) => _texts.BatchesOf(passes);

    /// <inheritdoc/>
    public override IEnumerable<MicroBatch> All() => _texts.All().Select((batch, i) => Cut(batch, (1L << 40) + i));

    /// <summary>The source and the target of one text.</summary>
    /// <param name="ids">At least two tokens.</param>
    /// <param name="number">The number of the text in the stream.</param>
    /// <exception cref="InvalidDataException">More spans are cut out than there are sentinels.</exception>
    public (int[] Source, int[] Target) Cut(ReadOnlySpan<int> ids, long number)
    {
        ulong key = CounterRandom.Derive(_key, (ulong)number);
        Denoiser denoiser = Choose(key);
        bool[] noise = denoiser.Noise(ids.Length, key);
        List<int> source = denoiser.Mode is { } mode ? [mode] : [], target = [];
        int sentinels = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            if (noise[i] && (i == 0 || !noise[i - 1]) && denoiser is SpanDenoiser)
            {
                if (sentinels == _vocabulary.Sentinels)
                    throw new InvalidDataException($"A text of {ids.Length} tokens has more spans to cut out than the {_vocabulary.Sentinels} sentinels; make the texts shorter or the spans longer.");
                source.Add(_vocabulary.FirstSentinel - sentinels);
                target.Add(_vocabulary.FirstSentinel - sentinels++);
            }
            (noise[i] ? target : source).Add(ids[i]);
        }
        return ([.. source, _vocabulary.End], [.. target, _vocabulary.End]);
    }

    private Denoiser Choose(ulong key)
    {
        double u = CounterRandom.Uniform(CounterRandom.Derive(key, "denoiser"), 0) * _denoisers.Sum(d => d.Weight);
        foreach (Denoiser denoiser in _denoisers)
        {
            u -= denoiser.Weight;
            if (u < 0)
                return denoiser;
        }
        return _denoisers[^1];
    }

    private MicroBatch Cut(MicroBatch batch, long index)
    {
        List<int[]> sources = [], inputs = [];
        List<int> targets = [];
        for (int s = 0; s < batch.Tokens.Sequences; s++)
        {
            ReadOnlySpan<int> text = batch.Tokens.Ids.AsSpan(batch.Tokens.Starts[s]..batch.Tokens.Starts[s + 1]);
            if (text.Length < 2)
                continue;
            (int[] source, int[] target) = Cut(text, (index << 20) + s);
            sources.Add(source);
            inputs.Add([_vocabulary.Start, .. target[..^1]]);
            targets.AddRange(target);
        }
        TokenBatch decoder = TokenBatch.Of(inputs);
        return new MicroBatch(new TokenBatch(decoder.Ids, decoder.Starts) { Source = TokenBatch.Of(sources) }, [.. targets]);
    }
}
