using Gradus.Tensors;
using Gradus.Training.Data;

namespace Gradus.Training.Objectives;

/// <summary>The sums and weights of a loss's terms over micro-batches.</summary>
internal sealed class LossSums(IReadOnlyList<LossTerm> terms)
{
    private readonly double[] _weights = new double[terms.Count];

    /// <summary>The sum of each term's losses.</summary>
    public double[] Values { get; } = new double[terms.Count];

    /// <summary>The sum of each term's weights over the whole update, or the whole evaluation.</summary>
    public IReadOnlyList<double> Weights { get; set; } = new double[terms.Count];

    /// <summary>Σ coefficient · sum / weight.</summary>
    public double Loss => terms.Select((t, i) => t.Coefficient * (Values[i] / Divisor(i))).Sum();

    /// <summary>Adds the weights of micro-batches.</summary>
    /// <returns>The sums so far.</returns>
    public IReadOnlyList<double> AddWeights(IEnumerable<TrainingBatch> batches)
    {
        foreach (TrainingBatch batch in batches)
        {
            IReadOnlyList<double> weights = batch.Weights;
            if (weights.Count != terms.Count)
                throw new InvalidOperationException($"The loss has {terms.Count} terms, but the micro-batch {weights.Count} weights.");
            for (int i = 0; i < terms.Count; i++)
                _weights[i] += weights[i];
        }
        return _weights;
    }

    /// <summary>Adds the losses of a micro-batch.</summary>
    /// <returns>Its share of the loss: what the backward pass begins with.</returns>
    public Tensor Add(IReadOnlyList<Tensor> losses)
    {
        if (losses.Count != terms.Count)
            throw new InvalidOperationException($"The loss has {terms.Count} terms, but {losses.Count} sums were given.");
        Tensor? share = null;
        for (int i = 0; i < terms.Count; i++)
        {
            Values[i] += losses[i].Item();
            Tensor scaled = losses[i].Scale((float)terms[i].Coefficient / (float)Divisor(i));
            share = share?.Add(scaled) ?? scaled;
        }
        return share!;
    }

    /// <summary>Reports the mean of every term, where there are several.</summary>
    public void Report(MetricSums metrics, RankGroup ranks)
    {
        // The sums are those of all ranks already, and each rank's report is added up again.
        for (int i = 0; terms.Count > 1 && i < terms.Count; i++)
            metrics.Add($"loss/{terms[i].Name}", Values[i] / ranks.Count, Weights[i] / ranks.Count);
    }

    private double Divisor(int term) => Weights[term] > 0 ? Weights[term] : 1;
}
