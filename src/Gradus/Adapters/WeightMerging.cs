using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>How values of several models become one (Hugging Face PEFT's and mergekit's names).</summary>
public enum MergeMethod
{
    /// <summary>Σ w·x, of whole models with the weights made to sum to 1.</summary>
    Linear,

    /// <summary>On the arc between two (Shoemake, "Animating Rotation with Quaternion Curves", 1985).</summary>
    Slerp,

    /// <summary>base + Σ w·(x − base) (Ilharco et al., "Editing Models with Task Arithmetic", 2023).</summary>
    TaskArithmetic,

    /// <summary>Task arithmetic of the largest changes.</summary>
    MagnitudePrune,

    /// <summary>The largest changes, where they agree with the majority's sign (Yadav et al., "TIES-Merging", 2023).</summary>
    Ties,

    /// <summary>Task arithmetic of changes of which some at random are dropped and the rest made up for (Yu et al., "Language Models are Super Mario", 2024).</summary>
    DareLinear,

    /// <summary>The same with TIES' signs.</summary>
    DareTies,

    /// <summary>Adapters only: factors side by side, so that changes add up exactly and ranks too.</summary>
    Cat,

    /// <summary>Adapters only: the largest part of the sum of changes, of the rank asked for.</summary>
    Svd,
}

/// <summary>Which sign TIES takes for that of the majority.</summary>
public enum MajoritySign
{
    /// <summary>That of the sum.</summary>
    Total,

    /// <summary>That of more of them.</summary>
    Frequency,
}

/// <summary>The arithmetic of merging, value by value. Source: the papers, with the details of peft.utils.merge_utils.</summary>
public static class WeightMerging
{
    /// <summary>Σ w·x.</summary>
    /// <param name="values">As many lists as weights, of equal lengths.</param>
    /// <param name="weights">w.</param>
    public static float[] Sum(IReadOnlyList<float[]> values, IReadOnlyList<float> weights)
    {
        Check(values, weights);
        float[] sum = new float[values[0].Length];
        for (int k = 0; k < values.Count; k++)
        {
            for (int i = 0; i < sum.Length; i++)
                sum[i] += weights[k] * values[k][i];
        }
        return sum;
    }

    /// <summary>On the arc from a to b; of vectors that point the same way on the line.</summary>
    /// <param name="a">At 0.</param>
    /// <param name="b">At 1.</param>
    /// <param name="t">In [0, 1].</param>
    public static float[] Slerp(float[] a, float[] b, float t)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        double dot = 0, aa = 0, bb = 0;
        for (int i = 0; i < a.Length; i++)
            (dot, aa, bb) = (dot + ((double)a[i] * b[i]), aa + ((double)a[i] * a[i]), bb + ((double)b[i] * b[i]));
        double cos = aa > 0 && bb > 0 ? Math.Clamp(dot / Math.Sqrt(aa * bb), -1, 1) : 1, angle = Math.Acos(cos), sin = Math.Sin(angle);
        (double fa, double fb) = Math.Abs(cos) > 0.9995 ? (1 - t, t) : (Math.Sin((1 - t) * angle) / sin, Math.Sin(t * angle) / sin);
        float[] y = new float[a.Length];
        for (int i = 0; i < y.Length; i++)
            y[i] = (float)((fa * a[i]) + (fb * b[i]));
        return y;
    }

    /// <summary>The largest values in absolute terms; the others become zero. Of equal ones the first stay.</summary>
    /// <param name="values">The values.</param>
    /// <param name="density">The share that stays, in [0, 1].</param>
    public static float[] Prune(float[] values, double density)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (density >= 1)
            return values;
        int kept = (int)(density * values.Length);
        float[] pruned = new float[values.Length];
        if (kept == 0)
            return pruned;
        float[] sizes = Array.ConvertAll(values, MathF.Abs);
        Array.Sort(sizes);
        float least = sizes[^kept];
        int equal = kept - values.Count(v => MathF.Abs(v) > least);
        for (int i = 0; i < values.Length; i++)
        {
            float size = MathF.Abs(values[i]);
            if (size > least || (size == least && equal-- > 0))
                pruned[i] = values[i];
        }
        return pruned;
    }

    /// <summary>Values of which some at random become zero and the others grow, so that the expectation stays.</summary>
    /// <param name="values">The values.</param>
    /// <param name="density">The share that stays, in (0, 1].</param>
    /// <param name="key">Chooses which.</param>
    public static float[] Drop(float[] values, double density, ulong key)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (density >= 1)
            return values;
        float[] left = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
            left[i] = CounterRandom.Uniform(key, i) < density ? (float)(values[i] / density) : 0;
        return left;
    }

    /// <summary>Σ w·x over those whose sign is the majority's, divided by their number.</summary>
    /// <param name="values">Pruned changes.</param>
    /// <param name="weights">w.</param>
    /// <param name="sign">What counts as the majority.</param>
    public static float[] Agree(IReadOnlyList<float[]> values, IReadOnlyList<float> weights, MajoritySign sign)
    {
        Check(values, weights);
        float[] merged = new float[values[0].Length];
        for (int i = 0; i < merged.Length; i++)
        {
            float total = 0;
            for (int k = 0; k < values.Count; k++)
                total += sign == MajoritySign.Total ? values[k][i] : Math.Sign(values[k][i]);
            int majority = total >= 0 ? 1 : -1, count = 0;
            float sum = 0;
            for (int k = 0; k < values.Count; k++)
            {
                if (Math.Sign(values[k][i]) == majority)
                    (sum, count) = (sum + (weights[k] * values[k][i]), count + 1);
            }
            merged[i] = sum / Math.Max(1, count);
        }
        return merged;
    }

    /// <summary>Changes of several models as one, by a method that works value by value.</summary>
    /// <param name="values">The changes.</param>
    /// <param name="options">The method.</param>
    /// <param name="name">The tensor's name, which chooses what is dropped at random.</param>
    public static float[] Merge(IReadOnlyList<float[]> values, MergeOptions options, string name)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(options);
        float[][] kept = options.Method switch
        {
            MergeMethod.MagnitudePrune or MergeMethod.Ties => [.. values.Select(v => Prune(v, options.Density))],
            MergeMethod.DareLinear or MergeMethod.DareTies =>
                [.. values.Select((v, k) => Drop(v, options.Density, CounterRandom.Derive(CounterRandom.Derive(options.Seed, name), (ulong)k)))],
            _ => [.. values],
        };
        return options.Method switch
        {
            MergeMethod.Ties or MergeMethod.DareTies => Agree(kept, options.Weights, options.Sign),
            MergeMethod.Slerp => Slerp(kept[0], kept[1], options.Weights[1] / (options.Weights[0] + options.Weights[1])),
            _ => Sum(kept, options.Weights),
        };
    }

    private static void Check(IReadOnlyList<float[]> values, IReadOnlyList<float> weights)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(weights);
        if (values.Count == 0 || values.Count != weights.Count || values.Any(v => v.Length != values[0].Length))
            throw new ArgumentException($"{values.Count} lists of values and {weights.Count} weights; there is one weight for each list, and all are of one length.", nameof(values));
    }
}

/// <summary>How several models or adapters are merged.</summary>
/// <param name="Method">The method.</param>
/// <param name="Weights">One for each.</param>
/// <param name="Density">The share of changes that stays where the method drops some, in (0, 1].</param>
/// <param name="Sign">TIES' majority.</param>
/// <param name="Seed">Chooses what is dropped at random.</param>
/// <param name="Rank">The rank of an adapter that <see cref="MergeMethod.Svd"/> makes; the largest of those merged where null.</param>
public sealed record MergeOptions(
    MergeMethod Method, IReadOnlyList<float> Weights, double Density = 1, MajoritySign Sign = MajoritySign.Total, ulong Seed = 0, int? Rank = null)
{
    /// <summary>What is wrong with the values for as many models or adapters; null when all is well.</summary>
    /// <param name="count">How many are merged.</param>
    /// <param name="adapters">Whether they are adapters.</param>
    public string? Problem(int count, bool adapters)
    {
        if (count < 2)
            return "there is only one; give at least two to merge";
        if (Weights.Count != count)
            return $"there are {count} to merge, but {Weights.Count} weights; give one for each";
        if (Weights.Any(w => !float.IsFinite(w)))
            return "a weight is not a number";
        if (Method == MergeMethod.Slerp && (count != 2 || !(Weights[0] >= 0 && Weights[1] >= 0 && Weights[0] + Weights[1] > 0)))
            return "slerp goes between two, with weights that are not negative";
        if (Method is MergeMethod.Cat or MergeMethod.Svd && !adapters)
            return $"{Method} merges adapters, not whole models";
        if (Density is not (> 0 and <= 1))
            return $"the density must lie in (0, 1], but is {Density}";
        return Method == MergeMethod.Linear && !adapters && !(Math.Abs(Weights.Sum()) > 1e-6) ? "the weights of models sum to zero" : null;
    }
}
