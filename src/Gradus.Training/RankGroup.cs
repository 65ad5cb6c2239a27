using Gradus.Tensors;
using Gradus.Training.Distributed;

namespace Gradus.Training;

/// <summary>
/// The ranks of a distributed run, as one of them sees it: who takes which micro-batches, and what they tell each other in a step. This
/// class is a run of one rank, which has nobody to tell anything.
/// </summary>
/// <param name="leaves">
/// Parts of every step whose sums are taken along one binary tree, at least as many as there are ranks: then a step has the same bits on any number of
/// ranks. 1 sums micro-batches one after another.
/// </param>
/// <remarks>
/// A step asks in this order: the weights of all micro-batches are summed before the first backward pass, losses and metrics after the last,
/// then gradients before they are clipped; after the update, where each rank holds the optimizer's state of its own parameters only, the
/// parameters. All ranks call the same methods in the same order.
/// </remarks>
public class RankGroup(int leaves = 1)
{
    /// <summary>A run of one rank.</summary>
    public static RankGroup Alone { get; } = new();

    /// <summary>This rank, from 0.</summary>
    public virtual int Rank => 0;

    /// <summary>The number of ranks.</summary>
    public virtual int Count => 1;

    /// <summary>The leaves of a step, over all ranks.</summary>
    public int Leaves { get; } = leaves >= 1 ? leaves : throw new ArgumentOutOfRangeException(nameof(leaves), leaves, "must be at least 1");

    /// <summary>Whether each rank keeps the optimizer's state of its own parameters only.</summary>
    public virtual bool SharesOptimizerState => false;

    /// <summary>This rank's share of so many things: a contiguous range, with several leaves those of its leaves, else the first ranks' one longer.</summary>
    /// <param name="total">The number of things.</param>
    public (int First, int Count) Share(int total)
    {
        if (Leaves > 1)
        {
            (int first, int end) = LeavesOf(Rank);
            return (StartOf(first, total), StartOf(end, total) - StartOf(first, total));
        }
        int each = total / Count, more = total % Count;
        return ((Rank * each) + Math.Min(Rank, more), each + (Rank < more ? 1 : 0));
    }

    /// <summary>Replaces each value by its sum over the ranks.</summary>
    public virtual void Sum(Span<double> values)
    {
    }

    /// <summary>The sum over the leaves of all ranks, along their tree.</summary>
    /// <param name="leaves">What this rank's leaves have, in their order; all equally many numbers.</param>
    public virtual double[] Sum(IReadOnlyList<double[]> leaves)
    {
        ArgumentNullException.ThrowIfNull(leaves);
        double[] sum = [.. SumTree.Sum(leaves)];
        Sum(sum);
        return sum;
    }

    /// <summary>Gives every parameter its gradient's sum over the leaves of all ranks.</summary>
    /// <param name="sums">What this rank's leaves have.</param>
    public virtual void SumGradients(GradientSums sums)
    {
        ArgumentNullException.ThrowIfNull(sums);
        sums.Finish();
    }

    /// <summary>The contiguous leaves of a rank.</summary>
    internal (int First, int End) LeavesOf(int rank) => ((int)((long)Leaves * rank / Count), (int)((long)Leaves * (rank + 1) / Count));

    /// <summary>The first of so many things that belongs to a leaf.</summary>
    internal int StartOf(int leaf, int total) => (int)((long)total * leaf / Leaves);

    /// <summary>Replaces the gradient of each parameter by its sum over the ranks. A rank without micro-batches has gradients of zero.</summary>
    public virtual void SumGradients(IReadOnlyList<Parameter> parameters)
    {
    }

    /// <summary>Gives every rank the values that each parameter's owner has.</summary>
    /// <param name="parameters">All trained parameters.</param>
    /// <param name="owners">The rank that updated each.</param>
    public virtual void ShareParameters(IReadOnlyList<Parameter> parameters, IReadOnlyList<int> owners)
    {
    }

    /// <summary>The rank that owns each parameter: the largest first, each to the rank that has the fewest values so far.</summary>
    public IReadOnlyList<int> Owners(IReadOnlyList<Parameter> parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        int[] owners = new int[parameters.Count];
        long[] held = new long[Count];
        foreach (int p in Enumerable.Range(0, parameters.Count).OrderByDescending(p => parameters[p].Shape.Count))
        {
            owners[p] = Array.IndexOf(held, held.Min());
            held[owners[p]] += parameters[p].Shape.Count;
        }
        return owners;
    }
}
