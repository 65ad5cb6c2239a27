// Sentence embeddings: texts that belong together come to lie near each other. Numbers are few (a vector for every text), so the loss and its
// gradient are computed on the host.

using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Alignment;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>How vectors of texts are trained.</summary>
/// <param name="Pooling">How the hidden states of a text become one vector.</param>
/// <param name="Temperature">τ &gt; 0: similarities are divided by it.</param>
/// <param name="Dimensions">Besides whole vectors, so many first values of them are trained to be vectors of their own.</param>
public sealed record ContrastiveOptions(Pooling Pooling, double Temperature, IReadOnlyList<int> Dimensions);

/// <summary>
/// −log of e^(cos(a, p)/τ) over its sum with all other positives and negatives of the micro-batch (van den Oord et al., "Representation Learning with
/// Contrastive Predictive Coding", 2018; Reimers and Gurevych, "Sentence-BERT", 2019), on request also for the first dimensions alone (Kusupati et
/// al., "Matryoshka Representation Learning", 2022). On held-out data <c>accuracy</c> is the share of texts whose own positive is the nearest.
/// </summary>
/// <param name="options">How.</param>
/// <param name="train">Training data.</param>
/// <param name="validation">Held-out data, or null.</param>
/// <param name="accumulation">Micro-batches per step, ≥ 1.</param>
public sealed class ContrastiveObjective(ContrastiveOptions options, SentenceTriples train, SentenceTriples? validation = null, int accumulation = 1)
    : Objective<TripleBatch>(accumulation)
{
    /// <inheritdoc/>
    public override TripleBatch Batch(long step, int index) => train[(step * BatchesPerStep) + index];

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation() => validation?.All() ?? [];

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, TripleBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(model);
        Pass pass = context.Pass(batch.Tokens);
        Tensor vectors = (model is EncoderDecoderModel reader ? reader.Encode(pass) : model.Hidden(pass)).Pool(pass, options.Pooling);
        float[] values = vectors.ToArray();
        int width = vectors.Shape.Columns;
        double[] gradient = new double[values.Length];
        int[] sizes = [width, .. options.Dimensions.Where(d => d < width)];
        double sum = 0;
        foreach (int size in sizes)
        {
            (double loss, int nearest) = Loss(batch, values, width, size, 1.0 / sizes.Length, gradient);
            sum += loss / sizes.Length;
            context.Report(size == width ? "accuracy" : $"accuracy/{size}", nearest, batch.Pairs);
        }
        return [HostLoss.Record(vectors, sum, gradient)];
    }

    // Adds the gradient of weight · loss; returns the loss and how many anchors have their positive as the nearest candidate.
    private (double Loss, int Nearest) Loss(TripleBatch batch, float[] values, int width, int size, double weight, double[] gradient)
    {
        int pairs = batch.Pairs, candidates = batch.Candidates;
        double[] lengths = new double[pairs + candidates];
        double[][] units = new double[lengths.Length][], slopes = new double[lengths.Length][];
        for (int s = 0; s < units.Length; s++)
        {
            ReadOnlySpan<float> row = values.AsSpan(s * width, size);
            double squares = 0;
            foreach (float v in row)
                squares += (double)v * v;
            lengths[s] = Math.Max(Math.Sqrt(squares), 1e-12);
            (units[s], slopes[s]) = (new double[size], new double[size]);
            for (int d = 0; d < size; d++)
                units[s][d] = row[d] / lengths[s];
        }
        double loss = 0;
        int nearest = 0;
        double[] scores = new double[candidates];
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < candidates; j++)
                scores[j] = batch.Same[(i * candidates) + j] ? double.NegativeInfinity : Dot(units[i], units[pairs + j]) / options.Temperature;
            double most = scores.Max(), total = scores.Sum(s => Math.Exp(s - most));
            loss += most + Math.Log(total) - scores[i];
            nearest += scores[i] == most ? 1 : 0;
            for (int j = 0; j < candidates; j++)
            {
                double slope = weight * ((Math.Exp(scores[j] - most) / total) - (i == j ? 1 : 0)) / options.Temperature;
                for (int d = 0; d < size; d++)
                {
                    slopes[i][d] += slope * units[pairs + j][d];
                    slopes[pairs + j][d] += slope * units[i][d];
                }
            }
        }
        // x ↦ x/‖x‖: dx = (du − (du·u)·u)/‖x‖.
        for (int s = 0; s < units.Length; s++)
        {
            double along = Dot(slopes[s], units[s]);
            for (int d = 0; d < size; d++)
                gradient[(s * width) + d] += (slopes[s][d] - (along * units[s][d])) / lengths[s];
        }
        return (loss, nearest);
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
