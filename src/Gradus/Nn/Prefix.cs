using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// What an adapter puts before every sequence of a model that writes: tokens that no text has (<see cref="VirtualTokens"/>), or keys
/// and values that attention sees beside those of the text (<see cref="KeyValuePrefix"/>). Both take up positions of the context.
/// </summary>
public abstract class Prefix
{
    /// <summary>Positions before every sequence.</summary>
    public abstract int Length { get; }

    /// <summary>The parameters that are trained.</summary>
    public abstract IReadOnlyList<Parameter> Parameters { get; }
}

/// <summary>Vectors in the place of the vectors of tokens. The model knows the i-th of task t as the token V + t · length + i.</summary>
public abstract class VirtualTokens : Prefix
{
    /// <summary>The vectors of all tasks, (tasks · length, C), in a step's workspace.</summary>
    public abstract Tensor Vectors(Workspace step);

    /// <summary>The ids of a task's tokens for a model of as many tokens as given.</summary>
    internal int[] Ids(int vocabulary, int task) => [.. Enumerable.Range(vocabulary + (task * Length), Length)];
}

/// <summary>Keys and values for every layer.</summary>
public abstract class KeyValuePrefix : Prefix
{
    /// <summary>Keys and values of a layer, (length, Hkv·D) each, in a step's workspace.</summary>
    public abstract (Tensor Keys, Tensor Values) Layer(int layer, Workspace step);

    /// <summary>A layer's keys and values with these before those of every sequence.</summary>
    /// <param name="layer">The layer's number.</param>
    /// <param name="k">(N, Hkv, D).</param>
    /// <param name="v">(N, Hkv, D).</param>
    /// <param name="layout">The sequences, whose keys are longer by the prefix.</param>
    internal (Tensor Keys, Tensor Values) Before(int layer, Tensor k, Tensor v, AttentionLayout layout)
    {
        Workspace w = k.Workspace;
        int length = Length, n = k.Shape[0];
        int[] first = new int[layout.Sequences * length], to = new int[first.Length], own = new int[n];
        for (int s = 0; s < layout.Sequences; s++)
        {
            for (int i = 0; i < length; i++)
                (first[(s * length) + i], to[(s * length) + i]) = (i, layout.KeyStart(s) + i);
            for (int i = 0; i < layout.QueryCount(s); i++)
                own[layout.QueryStart(s) + i] = layout.KeyStart(s) + length + i;
        }
        (Tensor keys, Tensor values) = Layer(layer, w);
        Tensor rows = w.From(first), ownTo = w.From(own), firstTo = w.From(to);
        return (Together(k, keys), Together(v, values));

        Tensor Together(Tensor x, Tensor prefix) => Tensor
            .Scatter([x.Reshape(n, x.Shape[1] * x.Shape[2]), prefix.Gather(rows)], [ownTo, firstTo], layout.TotalKeys)
            .Reshape(layout.TotalKeys, x.Shape[1], x.Shape[2]);
    }
}
