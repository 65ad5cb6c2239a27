using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Text;

namespace Gradus.Bundle;

/// <summary>How texts become vectors.</summary>
/// <param name="Pooling">How the hidden states of a text become one; null for the files' own way, else the mean, and the last token of a decoder.</param>
/// <param name="Normalize">Whether vectors are scaled to length 1.</param>
/// <param name="Dimensions">The first so many values only, before scaling (Kusupati et al., "Matryoshka Representation Learning", 2022); null for all.</param>
/// <param name="Truncate">Whether a text that is too long is cut at its end; else it is refused.</param>
public sealed record EmbeddingOptions(Pooling? Pooling = null, bool Normalize = true, int? Dimensions = null, bool Truncate = false);

/// <summary>
/// Texts as vectors, from the hidden states of a model of any kind: an encoder, the body of a classifier, a decoder, the encoder of T5. A text
/// has the same vector in any company. Safe for use by many threads at once. Source: Reimers and Gurevych, "Sentence-BERT", 2019.
/// </summary>
public sealed class TextEmbedder
{
    private readonly ModelBundle _bundle;
    private readonly EmbeddingOptions _options;
    private readonly Pooling _pooling;

    /// <summary>Takes a model to make vectors with.</summary>
    /// <param name="bundle">The model; it must outlive this.</param>
    /// <param name="options">How; the defaults where null.</param>
    public TextEmbedder(ModelBundle bundle, EmbeddingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        _bundle = bundle;
        _options = options ?? new EmbeddingOptions();
        LanguageModel body = (bundle.Model as TaskModel)?.Body ?? bundle.Model;
        _pooling = _options.Pooling ?? bundle.Pooling ?? (body is DecoderModel or RnnLm ? Pooling.Last : Pooling.Mean);
    }

    /// <summary>The tokens of a text, with the special tokens that the model expects.</summary>
    /// <exception cref="ArgumentException">The text has no tokens, or more than the context and is not to be cut.</exception>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int[] ids = _bundle.ReadsSource ? SourceText.Encode(text, _bundle.Tokenizer) : _bundle.Tokenizer.Encode(text);
        if (ids.Length == 0)
            throw new ArgumentException("The text has no tokens, so it has no vector; leave it out.", nameof(text));
        if (ids.Length <= _bundle.ContextLength)
            return ids;
        return _options.Truncate
            ? _bundle.Tokenizer.EncodeWithOffsets(text, truncation: new Truncation(_bundle.ContextLength)).Ids
            : throw new ArgumentException($"The text has {ids.Length} tokens, but the model's context is {_bundle.ContextLength}; shorten it, or have it cut.", nameof(text));
    }

    /// <summary>The vector of each text.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="cancellation">Ends the work between batches.</param>
    /// <returns>As many vectors, in the same order.</returns>
    /// <exception cref="ArgumentException">A text has no tokens, or more than the context and is not to be cut; or more dimensions are asked for than the model has.</exception>
    public float[][] Embed(IReadOnlyList<string> texts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        return EmbedTokens([.. texts.Select(Encode)], cancellation);
    }

    /// <summary>The vector of each sequence of tokens (<see cref="Encode"/>).</summary>
    /// <param name="sequences">Ids, at least one in each.</param>
    /// <param name="cancellation">Ends the work between batches.</param>
    public float[][] EmbedTokens(IReadOnlyList<int[]> sequences, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        // Texts of like length together, and no more at once than a long one would take.
        const int BatchTokens = 4096;
        float[][] vectors = new float[sequences.Count][];
        List<int> batch = [];
        int tokens = 0;
        foreach (int i in Enumerable.Range(0, sequences.Count).OrderByDescending(i => sequences[i].Length))
        {
            if (batch.Count > 0 && tokens + sequences[i].Length > BatchTokens)
                Flush();
            batch.Add(i);
            tokens += sequences[i].Length;
        }
        if (batch.Count > 0)
            Flush();
        return vectors;

        void Flush()
        {
            cancellation.ThrowIfCancellationRequested();
            float[][] made = Embed([.. batch.Select(i => sequences[i])]);
            for (int i = 0; i < batch.Count; i++)
                vectors[batch[i]] = Finish(made[i]);
            batch.Clear();
            tokens = 0;
        }
    }

    private float[][] Embed(int[][] sequences)
    {
        using Workspace workspace = _bundle.Model.Parts.Store.NewScratch();
        SequenceAdapter? adapter = _bundle.AdapterName is { } name ? _bundle.Generative.Acquire(name) : null;
        try
        {
            return Embed(sequences, workspace, adapter);
        }
        finally
        {
            adapter?.Release();
        }
    }

    private float[][] Embed(int[][] sequences, Workspace workspace, SequenceAdapter? adapter)
    {
        Pass pass = new(TokenBatch.Of(sequences), workspace) { Adapters = adapter is null ? null : [.. Enumerable.Repeat(adapter, sequences.Length)] };
        Tensor hidden = _bundle.Model is EncoderDecoderModel reader ? reader.Encode(pass) : _bundle.Model.Hidden(pass);
        float[] values = hidden.Pool(pass, _pooling).ToArray();
        return [.. values.Chunk(values.Length / sequences.Length)];
    }

    private float[] Finish(float[] vector)
    {
        int dimensions = _options.Dimensions ?? vector.Length;
        if (dimensions < 1 || dimensions > vector.Length)
            throw new ArgumentException($"Dimensions is {dimensions}, but the vectors of {_bundle.Location.Folder} have {vector.Length} values; give 1 to {vector.Length}.");
        float[] kept = vector[..dimensions];
        if (!_options.Normalize)
            return kept;
        double squares = 0;
        foreach (float value in kept)
            squares += (double)value * value;
        for (int i = 0; i < kept.Length && squares > 0; i++)
            kept[i] = (float)(kept[i] / Math.Sqrt(squares));
        return kept;
    }
}
