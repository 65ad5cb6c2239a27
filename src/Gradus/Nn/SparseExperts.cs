// Sparse mixtures of experts: Shazeer et al., "Outrageously Large Neural Networks" (2017); Fedus et al., "Switch Transformers" (2021);
// Jiang et al., "Mixtral of Experts" (2024). Left out: a limit on the tokens of an expert, noise in the router.

using Gradus.Tensors;

namespace Gradus.Nn;

/// <summary>
/// y = Σ w_e · expert_e(x) over the experts that a token's router scores highest. Tokens are grouped by expert, so that each expert
/// computes its own rows once and an expert without rows computes nothing. A token's sum runs over its experts in ascending order,
/// whatever the rest of the batch does.
/// </summary>
public sealed class SparseExperts : IBlock
{
    private readonly Linear _router;
    private readonly IBlock[] _experts;
    private readonly int _top;
    private readonly bool _renormalize;
    private readonly List<Tensor> _parts = [];
    private readonly List<Tensor> _places = [];
    private int[] _chosen = [];
    private int[] _rows = [];
    private int[] _slots = [];

    /// <summary>Takes a router and its experts.</summary>
    /// <param name="router">(C) → (E): a score for each expert.</param>
    /// <param name="experts">E feed-forward layers.</param>
    /// <param name="top">Experts per token, from 1 to E.</param>
    /// <param name="renormalize">Whether the weights of the chosen experts sum to 1, rather than those of all.</param>
    public SparseExperts(Linear router, IBlock[] experts, int top, bool renormalize)
    {
        ArgumentNullException.ThrowIfNull(experts);
        ArgumentOutOfRangeException.ThrowIfLessThan(top, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(top, experts.Length);
        _router = router;
        _experts = experts;
        _top = top;
        _renormalize = renormalize;
    }

    /// <summary>Noise that training multiplies the layer's input by, in [0, 1) (<see cref="PassNoise.Jitter"/>).</summary>
    public float Jitter { get; init; }

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Pass pass)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(pass);
        x = pass.Noise.Jitter(x, Jitter);
        int n = x.Shape[0], chosen = n * _top;
        Tensor logits = _router.Forward(x, pass);                       // (N, E)
        pass.RouterLogits?.Add(logits);
        if (n == 0)
            return x.Scale(0);
        Choose(logits.Span(), n);
        Tensor weights = Weights(logits, n);                            // (N·top, 1)
        Workspace w = weights.Workspace;
        AdapterRows? adapters = pass.AdapterRows;
        _parts.Clear();
        _places.Clear();
        for (int e = 0; e < _experts.Length; e++)
        {
            int count = Group(e, chosen);
            if (count == 0)
                continue;
            Tensor rows = w.From(_rows.AsSpan(0, count)), slots = w.From(_slots.AsSpan(0, count));
            pass.AdapterRows = adapters?.Select(_rows.AsSpan(0, count));
            _parts.Add(_experts[e].Forward(x.Gather(rows), pass).ScaleRows(weights.Gather(slots)));
            _places.Add(rows);
        }
        pass.AdapterRows = adapters;
        return Tensor.Scatter(_parts, _places, n);
    }

    /// <summary>The indices of the largest scores, the largest first; of equal ones the first.</summary>
    /// <param name="scores">E scores.</param>
    /// <param name="top">Receives the indices, at most E.</param>
    public static void Largest(ReadOnlySpan<float> scores, Span<int> top)
    {
        for (int k = 0; k < top.Length; k++)
        {
            int best = -1;
            for (int e = 0; e < scores.Length; e++)
            {
                if ((best < 0 || scores[e] > scores[best]) && !top[..k].Contains(e))
                    best = e;
            }
            top[k] = best;
        }
    }

    // Fills, for every token, the numbers of its experts.
    private void Choose(ReadOnlySpan<float> logits, int tokens)
    {
        int count = tokens * _top;
        if (_chosen.Length < count)
        {
            _chosen = new int[Math.Max(count, 2 * _chosen.Length)];
            _rows = new int[_chosen.Length];
            _slots = new int[_chosen.Length];
        }
        for (int i = 0; i < tokens; i++)
            Largest(logits.Slice(i * _experts.Length, _experts.Length), _chosen.AsSpan(i * _top, _top));
    }

    // The softmax over the chosen alone is the softmax over all, divided by the sum of the chosen.
    private Tensor Weights(Tensor logits, int tokens)
    {
        int count = tokens * _top, experts = _experts.Length;
        for (int i = 0; i < count; i++)
            _slots[i] = ((i / _top) * experts) + _chosen[i];
        Tensor indices = logits.Workspace.From(_slots.AsSpan(0, count));
        return _renormalize
            ? logits.Reshape(tokens * experts, 1).Gather(indices).Reshape(tokens, _top).Softmax().Reshape(count, 1)
            : logits.Softmax().Reshape(tokens * experts, 1).Gather(indices);
    }

    // The tokens that an expert serves, and which of a token's choices it is.
    private int Group(int expert, int chosen)
    {
        int count = 0;
        for (int i = 0; i < chosen; i++)
        {
            if (_chosen[i] != expert)
                continue;
            _rows[count] = i / _top;
            _slots[count++] = i;
        }
        return count;
    }
}

/// <summary>
/// The loss that keeps experts equally busy (Fedus et al., 2021), in the form of transformers: E · Σ_e f_e · P_e, where P_e is the
/// mean probability of expert e and f_e the number of times it was chosen per token, over the tokens of all sparse layers together.
/// </summary>
/// <param name="Top">Experts per token.</param>
/// <param name="Coefficient">What the loss is multiplied by when it is added to the model's.</param>
/// <param name="InTraining">Whether the configuration asks for it in training.</param>
public sealed record LoadBalancing(int Top, float Coefficient, bool InTraining)
{
    /// <summary>The loss, one value, not yet multiplied by the coefficient.</summary>
    /// <param name="routerLogits">(N, E) for every sparse layer (<see cref="Pass.RouterLogits"/>); at least one.</param>
    public Tensor Loss(IReadOnlyList<Tensor> routerLogits)
    {
        ArgumentNullException.ThrowIfNull(routerLogits);
        if (routerLogits.Count == 0)
            throw new ArgumentException("No layer recorded router logits; set them on the pass before the model runs.", nameof(routerLogits));
        int experts = routerLogits[0].Shape.Columns;
        long rows = routerLogits.Sum(l => l.Shape.Rows);
        Tensor shares = routerLogits[0].Workspace.From(Shares(routerLogits, experts, rows), new Shape(experts));
        Tensor? sum = null;
        foreach (Tensor logits in routerLogits)
        {
            Tensor part = logits.Softmax().Multiply(shares).Sum();
            sum = sum is null ? part : sum.Add(part);
        }
        return sum!.Scale((float)((double)experts / rows));
    }

    private float[] Shares(IReadOnlyList<Tensor> routerLogits, int experts, long rows)
    {
        float[] shares = new float[experts];
        Span<int> top = stackalloc int[Top];
        foreach (Tensor logits in routerLogits)
        {
            ReadOnlySpan<float> scores = logits.Span();
            for (int i = 0; i < logits.Shape[0]; i++)
            {
                SparseExperts.Largest(scores.Slice(i * experts, experts), top);
                foreach (int e in top)
                    shares[e]++;
            }
        }
        for (int e = 0; e < experts; e++)
            shares[e] /= rows;
        return shares;
    }
}
