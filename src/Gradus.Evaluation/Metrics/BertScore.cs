// Source: Zhang et al., "BERTScore: Evaluating Text Generation with BERT", 2020, https://arxiv.org/abs/1904.09675: cosine similarities of
// contextual embeddings, each token with its best partner. Left out: rescaling with a baseline, which belongs to one model and layer.

using System.Numerics.Tensors;
using Gradus.Bundle;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Tensor = Gradus.Tensors.Tensor;

namespace Gradus.Evaluation.Metrics;

/// <summary>BERTScore over the last hidden states of any model: an encoder, the encoder of T5, or a decoder.</summary>
/// <param name="bundle">The model; it must outlive this.</param>
/// <param name="importance">Rare tokens count more: weights −ln of the part of references that have the token.</param>
public sealed class BertScore(ModelBundle bundle, bool importance = false)
{
    private const int TokensAtOnce = 4096;

    /// <summary>Precision, recall and F1 of every prediction: the best over its references.</summary>
    /// <param name="examples">The examples; each with a reference at least.</param>
    /// <param name="cancellation">Ends the work between batches.</param>
    /// <exception cref="ArgumentException">An example has no reference, or a text has no tokens or more than the model's context.</exception>
    public IReadOnlyList<PrecisionRecallF> Score(IReadOnlyList<MetricExample> examples, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(examples);
        if (examples.Any(e => e.References.Count == 0))
            throw new ArgumentException("bertscore: an example has no reference; give one at least.", nameof(examples));
        TextEmbedder encoder = new(bundle);
        string[] texts = [.. examples.SelectMany(e => e.References.Prepend(e.Prediction)).Distinct(StringComparer.Ordinal)];
        Dictionary<string, Embedded> embedded = new(StringComparer.Ordinal);
        List<(string Text, int[] Ids)> batch = [];
        foreach (string text in texts.OrderByDescending(t => t.Length))
        {
            int[] ids = encoder.Encode(text);
            if (batch.Count > 0 && batch.Sum(b => b.Ids.Length) + ids.Length > TokensAtOnce)
                Embed(batch, embedded, cancellation);
            batch.Add((text, ids));
        }
        Embed(batch, embedded, cancellation);
        Dictionary<int, double> weights = importance ? Importance(examples, embedded) : [];
        return [.. examples.Select(e => e.References.Select(r => Pair(embedded[e.Prediction], embedded[r], weights)).MaxBy(p => p.F))];
    }

    private void Embed(List<(string Text, int[] Ids)> batch, Dictionary<string, Embedded> embedded, CancellationToken cancellation)
    {
        if (batch.Count == 0)
            return;
        cancellation.ThrowIfCancellationRequested();
        using Workspace workspace = bundle.Model.Parts.Store.NewScratch();
        Pass pass = new(TokenBatch.Of([.. batch.Select(b => b.Ids)]), workspace);
        Tensor hidden = bundle.Model is EncoderDecoderModel reader ? reader.Encode(pass) : bundle.Model.Hidden(pass);
        int width = hidden.Shape.Columns, row = 0;
        ReadOnlySpan<float> values = hidden.Values();
        foreach ((string text, int[] ids) in batch)
        {
            // Special tokens stand in every text and say nothing of it.
            bool[] counts = [.. ids.Select(id => !bundle.Tokenizer.IsSpecial(id))];
            if (!counts.Contains(true))
                Array.Fill(counts, true);
            List<float[]> vectors = [];
            for (int t = 0; t < ids.Length; t++, row++)
            {
                if (!counts[t])
                    continue;
                float[] vector = values.Slice(row * width, width).ToArray();
                float norm = TensorPrimitives.Norm<float>(vector);
                if (norm > 0)
                    TensorPrimitives.Divide(vector, norm, vector);
                vectors.Add(vector);
            }
            embedded[text] = new Embedded([.. ids.Where((_, t) => counts[t])], vectors);
        }
        batch.Clear();
    }

    private static PrecisionRecallF Pair(Embedded prediction, Embedded reference, Dictionary<int, double> weights)
    {
        double precision = Best(prediction, reference, weights), recall = Best(reference, prediction, weights);
        return new PrecisionRecallF(precision, recall, precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall));
    }

    private static double Best(Embedded of, Embedded among, Dictionary<int, double> weights)
    {
        double sum = 0, total = 0;
        for (int t = 0; t < of.Vectors.Count; t++)
        {
            double weight = weights.GetValueOrDefault(of.Ids[t], 1), best = double.NegativeInfinity;
            foreach (float[] other in among.Vectors)
                best = Math.Max(best, TensorPrimitives.Dot<float>(of.Vectors[t], other));
            (sum, total) = (sum + (weight * best), total + weight);
        }
        return total == 0 ? 0 : sum / total;
    }

    private static Dictionary<int, double> Importance(IReadOnlyList<MetricExample> examples, Dictionary<string, Embedded> embedded)
    {
        Embedded[] references = [.. examples.SelectMany(e => e.References).Select(r => embedded[r])];
        Dictionary<int, int> counts = [];
        foreach (int id in references.SelectMany(r => r.Ids.Distinct()))
            counts[id] = counts.GetValueOrDefault(id) + 1;
        return embedded.Values.SelectMany(e => e.Ids).Distinct().ToDictionary(id => id, id => Math.Log((references.Length + 1.0) / (counts.GetValueOrDefault(id) + 1.0)));
    }

    private sealed record Embedded(int[] Ids, List<float[]> Vectors);
}
