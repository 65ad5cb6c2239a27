using Gradus.Tensors;

namespace Gradus.Training;

/// <summary>
/// The ranks of a distributed run, as one of them sees it: who takes which micro-batches, and what they tell each other in a step. This
/// class is a run of one rank, which has nobody to tell anything.
/// </summary>
/// <remarks>
/// A step asks in this order: the weights of all micro-batches are summed before the first backward pass, losses and metrics after the last,
/// then gradients before they are clipped; after the update, where each rank holds the optimizer's state of its own parameters only, the
/// parameters. All ranks call the same methods in the same order.
/// </remarks>
public class RankGroup
{
    /// <summary>A run of one rank.</summary>
    public static RankGroup Alone { get; } = new();

    /// <summary>This rank, from 0.</summary>
    public virtual int Rank => 0;

    /// <summary>The number of ranks.</summary>
    public virtual int Count => 1;

    /// <summary>Whether each rank keeps the optimizer's state of its own parameters only.</summary>
    public virtual bool SharesOptimizerState => false;

    /// <summary>This rank's share of so many things: a contiguous range, the first ranks' one longer.</summary>
    /// <param name="total">The number of things.</param>
    public (int First, int Count) Share(int total)
    {
        int each = total / Count, more = total % Count;
        return ((Rank * each) + Math.Min(Rank, more), each + (Rank < more ? 1 : 0));
    }

    /// <summary>Replaces each value by its sum over the ranks.</summary>
    public virtual void Sum(Span<double> values)
    {
    }

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
