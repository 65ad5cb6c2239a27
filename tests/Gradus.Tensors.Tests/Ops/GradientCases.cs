using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Tests;

/// <summary>At least one case for every operation that gives a tensor; GradientTests fails for an operation without.</summary>
internal static partial class GradientCases
{
    private static readonly Lazy<GradientCase[]> Built = new(() =>
        [.. Arithmetic(), .. Shaping(), .. Activations(), .. Products(), .. Rows(), .. Losses(), .. Rotations(), .. Attentions(), .. Recurrences()]);

    public static IReadOnlyList<GradientCase> All => Built.Value;

    private static GradientCase Case(string operation, string variant, Given[] inputs, Func<Tensor[], Tensor> forward) => new(operation, variant, inputs, forward);

    private static Given Normal(params int[] axes) => Given.Normal(axes);

    private static IEnumerable<GradientCase> Arithmetic()
    {
        (string, Func<Tensor, Tensor, Tensor>)[] operations =
        [
            (nameof(Tensor.Add), (a, b) => a.Add(b)),
            (nameof(Tensor.Subtract), (a, b) => a.Subtract(b)),
            (nameof(Tensor.Multiply), (a, b) => a.Multiply(b)),
            (nameof(Tensor.Divide), (a, b) => a.Divide(b)),
        ];
        foreach ((string name, Func<Tensor, Tensor, Tensor> f) in operations)
        {
            yield return Case(name, "same shape", [Normal(3, 5), Given.Positive(3, 5)], x => f(x[0], x[1]));
            yield return Case(name, "a row", [Normal(2, 3, 5), Given.Positive(5)], x => f(x[0], x[1]));
            yield return Case(name, "one value", [Normal(3, 5), Given.Positive(1)], x => f(x[0], x[1]));
            yield return Case(name, "no rows", [Normal(0, 5), Given.Positive(5)], x => f(x[0], x[1]));
            yield return Case(name, "the same tensor twice", [Given.Positive(3, 5)], x => f(x[0], x[0]));
            yield return Case(name, "a column that becomes a row", [Normal(2, 3), Given.Positive(1, 3)], x => f(x[0], x[1].SwapAxes()));
        }
        yield return Case(nameof(Tensor.Add), "a chain of residuals", [Normal(3, 4), Normal(3, 4)], x => x[0].Add(x[1]).Add(x[0]).Add(x[0].Add(x[1])));
        yield return Case(nameof(Tensor.Scale), "by −1.5", [Normal(3, 5)], x => x[0].Scale(-1.5f));
        yield return Case(nameof(Tensor.Scale), "by 1", [Normal(3, 5)], x => x[0].Scale(1));
        yield return Case(nameof(Tensor.ScaleRows), "a matrix", [Normal(4, 5), Normal(4)], x => x[0].ScaleRows(x[1]));
        yield return Case(nameof(Tensor.ScaleRows), "three axes by a column", [Normal(2, 3, 5), Normal(6, 1)], x => x[0].ScaleRows(x[1]));
        yield return Case(nameof(Tensor.ScaleRows), "no rows", [Normal(0, 5), Normal(0)], x => x[0].ScaleRows(x[1]));
        yield return Case(nameof(Tensor.Sum), "of a matrix", [Normal(3, 5)], x => x[0].Sum());
        yield return Case(nameof(Tensor.Sum), "of nothing", [Normal(0, 5)], x => x[0].Sum());
        yield return Case(nameof(Tensor.Mean), "of three axes", [Normal(2, 3, 5)], x => x[0].Mean());
        yield return Case(nameof(Tensor.ToF32), "of F32", [Normal(2, 3)], x => x[0].ToF32().Scale(2));
    }

    private static IEnumerable<GradientCase> Shaping()
    {
        yield return Case(nameof(Tensor.Reshape), "to three axes", [Normal(4, 6)], x => x[0].Reshape(2, 3, 4));
        yield return Case(nameof(Tensor.Reshape), "there and back, and added to itself", [Normal(4, 6)], x => x[0].Reshape(24).Reshape(4, 6).Add(x[0]));
        yield return Case(nameof(Tensor.Rows), "of a matrix", [Normal(5, 3)], x => x[0].Rows(1, 3));
        yield return Case(nameof(Tensor.Rows), "of three axes", [Normal(5, 2, 3)], x => x[0].Rows(3, 2));
        yield return Case(nameof(Tensor.Rows), "none", [Normal(5, 3)], x => x[0].Rows(5, 0));
        yield return Case(nameof(Tensor.Rows), "none of none", [Normal(0, 3)], x => x[0].Rows(0, 0));
        yield return Case(nameof(Tensor.Rows), "two parts that overlap", [Normal(5, 3)], x => x[0].Rows(0, 3).Multiply(x[0].Rows(2, 3)));
        yield return Case(nameof(Tensor.Columns), "of a matrix", [Normal(4, 7)], x => x[0].Columns(2, 3));
        yield return Case(nameof(Tensor.Columns), "of three axes", [Normal(2, 3, 7)], x => x[0].Columns(4, 3));
        yield return Case(nameof(Tensor.Columns), "two parts that overlap", [Normal(4, 7)], x => x[0].Columns(0, 4).Multiply(x[0].Columns(3, 4)));
        yield return Case(nameof(Tensor.Append), "two matrices", [Normal(4, 3), Normal(4, 5)], x => x[0].Append(x[1]));
        yield return Case(nameof(Tensor.Append), "three axes, and none to the left", [Normal(2, 3, 0), Normal(2, 3, 4)], x => x[0].Append(x[1]));
        yield return Case(nameof(Tensor.Append), "a tensor to itself", [Normal(4, 3)], x => x[0].Append(x[0]));
        yield return Case(nameof(Tensor.SwapAxes), "of a matrix", [Normal(3, 5)], x => x[0].SwapAxes());
        yield return Case(nameof(Tensor.SwapAxes), "of four axes", [Normal(3, 2, 2, 4)], x => x[0].SwapAxes());
        yield return Case(nameof(Tensor.SwapAxes), "no rows", [Normal(0, 5)], x => x[0].SwapAxes());
        yield return Case(nameof(Tensor.Scatter), "two parts that meet, and a row without", [Normal(3, 4), Normal(2, 4)], x =>
            Tensor.Scatter([x[0], x[1]], [x[0].Workspace.From([3, 0, 2]), x[0].Workspace.From([2, 3])], 5));
        yield return Case(nameof(Tensor.Scatter), "a row that goes to the same place twice", [Normal(3, 4)], x =>
            Tensor.Scatter([x[0]], [x[0].Workspace.From([1, 0, 1])], 2));
        yield return Case(nameof(Tensor.Gather), "with repetitions", [Normal(6, 4)], x => x[0].Gather(x[0].Workspace.From([3, 0, 3, 5, 3])));
        yield return Case(nameof(Tensor.Gather), "nothing", [Normal(6, 4)], x => x[0].Gather(x[0].Workspace.From(Array.Empty<int>())));
        yield return Case(nameof(Tensor.Gather), "tied to the head", [Normal(6, 4), Normal(4, 4)], x =>
            x[0].Gather(x[0].Workspace.From([3, 0, 3])).Linear(x[1]).Linear(x[0]));
    }

    private static IEnumerable<GradientCase> Activations()
    {
        foreach (Activation f in Enum.GetValues<Activation>())
        {
            Given x = f is Activation.Log or Activation.Sqrt ? Given.Positive(3, 11) : Given.OffCorners(3, 11);
            if (f == Activation.Exp)
                x = Normal(3, 11);
            yield return Case(nameof(Tensor.Activate), f.ToString(), [x], x => x[0].Activate(f));
            yield return Case(nameof(Tensor.Gate), f.ToString(), [x, Normal(3, 11)], x => x[0].Gate(f, x[1]));
        }
        yield return Case(nameof(Tensor.Gate), "a tensor by itself", [Normal(3, 4)], x => x[0].Gate(Activation.Silu, x[0]));
        yield return Case(nameof(Tensor.Dropout), "a third", [Normal(8, 9)], x => x[0].Dropout(1 / 3f, 42));
        yield return Case(nameof(Tensor.Dropout), "none", [Normal(2, 3)], x => x[0].Dropout(0, 42));
    }

    private static IEnumerable<GradientCase> Products()
    {
        foreach ((bool a, bool b) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            string how = $"{(a ? "Aᵀ" : "A")}·{(b ? "Bᵀ" : "B")}";
            int[] left = a ? [4, 3] : [3, 4], right = b ? [5, 4] : [4, 5];
            yield return Case(nameof(Tensor.MatMul), how, [Normal(left), Normal(right)], x => x[0].MatMul(x[1], a, b));
            yield return Case(nameof(Tensor.MatMul), how + ", three of them", [Normal([3, .. left]), Normal([3, .. right])], x => x[0].MatMul(x[1], a, b));
            yield return Case(nameof(Tensor.MatMul), how + ", a square by itself", [Normal(4, 4)], x => x[0].MatMul(x[0], a, b));
        }
        yield return Case(nameof(Tensor.MatMul), "sums of nothing", [Normal(3, 0), Normal(0, 5)], x => x[0].MatMul(x[1]));
        yield return Case(nameof(Tensor.MatMul), "no products", [Normal(0, 3, 2), Normal(0, 2, 5)], x => x[0].MatMul(x[1]));
        foreach (WeightLayout layout in Enum.GetValues<WeightLayout>())
        {
            int[] weight = layout == WeightLayout.OutIn ? [5, 4] : [4, 5];
            yield return Case(nameof(Tensor.Linear), $"{layout}", [Normal(3, 4), Normal(weight)], x => x[0].Linear(x[1], null, layout));
            yield return Case(nameof(Tensor.Linear), $"{layout} with bias", [Normal(2, 3, 4), Normal(weight), Normal(5)], x => x[0].Linear(x[1], x[2], layout));
            yield return Case(nameof(Tensor.Linear), $"{layout}, no rows", [Normal(0, 4), Normal(weight), Normal(5)], x => x[0].Linear(x[1], x[2], layout));
        }
        foreach (Activation f in new[] { Activation.GeluTanh, Activation.Silu, Activation.Mish })
        {
            yield return Case(nameof(Tensor.Linear), $"then {f}", [Normal(3, 4), Normal(5, 4), Normal(5)], x => x[0].Linear(x[1], x[2], epilogue: Epilogue.Activate(f)));
            yield return Case(nameof(Tensor.Linear), $"{f} between two layers", [Normal(2, 3, 4), Normal(5, 4), Normal(5), Normal(5, 3)], x =>
                x[0].Linear(x[1], x[2], epilogue: Epilogue.Activate(f)).Linear(x[3], null, WeightLayout.InOut));
            yield return Case(nameof(Tensor.Linear), $"of {f}, which others use as well", [Normal(3, 4), Normal(4, 4)], x =>
            {
                Tensor h = x[0].Scale(0.5f), y = h.Activate(f);
                return y.Linear(x[1]).Add(y).Add(h).Add(y.Linear(x[1], epilogue: Epilogue.Residual(y)));
            });
        }
        yield return Case(nameof(Tensor.Linear), "with a residual", [Normal(3, 4), Normal(5, 4), Normal(5), Normal(3, 5)], x =>
            x[0].Linear(x[1], x[2], epilogue: Epilogue.Residual(x[3])));
        yield return Case(nameof(Tensor.Linear), "added to its own input", [Normal(3, 4), Normal(4, 4)], x => x[0].Linear(x[1], epilogue: Epilogue.Residual(x[0])));
        yield return Case(nameof(Tensor.Linear), "packed weights", [Normal(3, 32), Normal(6)], x => x[0].Linear(Packed(x[0], 6, 32), x[1]));
        yield return Case(nameof(Tensor.Linear), "packed weights with a residual", [Normal(3, 32), Normal(3, 6)], x =>
            x[0].Linear(Packed(x[0], 6, 32), epilogue: Epilogue.Residual(x[1])));
        yield return Case(nameof(Tensor.Linear), "GELU between packed weights", [Normal(3, 32), Normal(64)], x =>
            x[0].Linear(Packed(x[0], 64, 32), x[1], Epilogue.Activate(Activation.GeluTanh)).Linear(Packed(x[0], 6, 64)));
        float[] stored = Normal(5, 4).Values;
        foreach (DType type in new[] { DType.BF16, DType.F16 })
        {
            yield return Case(nameof(Tensor.Linear), $"a weight in {type}", [Normal(3, 4), Normal(5)], x =>
            {
                Tensor weight = x[0].Workspace.Empty(new Shape(5, 4), type);
                x[0].Device.Convert(x[0].Workspace.From(stored, weight.Shape), weight);
                return x[0].Linear(weight, x[1]);
            });
        }
        yield return Case(nameof(Tensor.Linear), "one vector", [Normal(4), Normal(5, 4), Normal(5)], x => x[0].Linear(x[1], x[2]));
    }

    // Small weights, multiplied exactly.
    private static PackedMatrix Packed(Tensor x, int rows, int columns)
    {
        PackedMatrix matrix = new(x.Workspace, PackedFormats.Get("Q8_0"), rows, columns) { ExactActivations = true };
        matrix.Pack([.. Enumerable.Range(0, rows * columns).Select(i => 0.3f * (float)CounterRandom.Normal(7, i))]);
        return matrix;
    }

    private static IEnumerable<GradientCase> Rows()
    {
        yield return Case(nameof(Tensor.Softmax), "of rows", [Normal(3, 7)], x => x[0].Softmax());
        yield return Case(nameof(Tensor.Softmax), "of one column", [Normal(3, 1)], x => x[0].Softmax());
        yield return Case(nameof(Tensor.LogSoftmax), "of rows", [Normal(2, 3, 7)], x => x[0].LogSoftmax());
        yield return Case(nameof(Tensor.LogSumExp), "of rows", [Normal(2, 3, 7)], x => x[0].LogSumExp());
        yield return Case(nameof(Tensor.LayerNorm), "weight and bias", [Normal(4, 7), Normal(7), Normal(7)], x => x[0].LayerNorm(x[1], x[2]));
        yield return Case(nameof(Tensor.LayerNorm), "weight", [Normal(2, 3, 7), Normal(7)], x => x[0].LayerNorm(x[1], null, 0.1f));
        yield return Case(nameof(Tensor.LayerNorm), "bias", [Normal(4, 7), Normal(7)], x => x[0].LayerNorm(null, x[1]));
        yield return Case(nameof(Tensor.LayerNorm), "bare", [Normal(4, 7)], x => x[0].LayerNorm(null, null));
        yield return Case(nameof(Tensor.LayerNorm), "no rows", [Normal(0, 7), Normal(7), Normal(7)], x => x[0].LayerNorm(x[1], x[2]));
        yield return Case(nameof(Tensor.RmsNorm), "weight", [Normal(4, 7), Normal(7)], x => x[0].RmsNorm(x[1]));
        yield return Case(nameof(Tensor.RmsNorm), "weight + 1", [Normal(2, 3, 7), Normal(7)], x => x[0].RmsNorm(x[1], 0.1f, 1));
        yield return Case(nameof(Tensor.RmsNorm), "bare", [Normal(4, 7)], x => x[0].RmsNorm(null));
        yield return Case(nameof(Tensor.RmsNorm), "no rows", [Normal(0, 7), Normal(7)], x => x[0].RmsNorm(x[1]));
    }

    private static IEnumerable<GradientCase> Losses()
    {
        int[] targets = [2, -100, 0, 5, 2];
        yield return Case(nameof(Tensor.CrossEntropy), "some rows do not count", [Normal(5, 6)], x => x[0].CrossEntropy(x[0].Workspace.From(targets)));
        yield return Case(nameof(Tensor.CrossEntropy), "no rows", [Normal(0, 6)], x => x[0].CrossEntropy(x[0].Workspace.From(Array.Empty<int>())));
        foreach (long kept in new[] { 0L, 1 << 20 })
        {
            yield return Case(nameof(Tensor.LinearCrossEntropy), $"{kept} logits kept", [Normal(5, 4), Normal(6, 4), Normal(6)], x =>
                x[0].LinearCrossEntropy(x[1], x[2], x[0].Workspace.From(targets), logitsKept: kept));
        }
        yield return Case(nameof(Tensor.LinearCrossEntropy), "without bias", [Normal(5, 4), Normal(6, 4)], x =>
            x[0].LinearCrossEntropy(x[1], null, x[0].Workspace.From(targets)));
        yield return Case(nameof(Tensor.LinearCrossEntropy), "no rows", [Normal(0, 4), Normal(6, 4), Normal(6)], x =>
            x[0].LinearCrossEntropy(x[1], x[2], x[0].Workspace.From(Array.Empty<int>())));
    }

    private static IEnumerable<GradientCase> Rotations()
    {
        foreach (bool interleaved in new[] { false, true })
        {
            foreach (int turned in new[] { 6, 4, 0 })
            {
                float[] angles = Normal(9, turned / 2).Values;
                yield return Case(nameof(Tensor.Rotate), $"{turned} of 6 values, {(interleaved ? "neighbours" : "halves")}", [Normal(5, 2, 6)], x =>
                {
                    Workspace w = x[0].Workspace;
                    Tensor cos = w.From([.. angles.Select(MathF.Cos)], new Shape(9, turned / 2)), sin = w.From([.. angles.Select(MathF.Sin)], new Shape(9, turned / 2));
                    return x[0].Rotate(cos, sin, w.From([0, 8, 3, 3, 1]), interleaved);
                });
            }
        }
    }

    private static IEnumerable<GradientCase> Attentions()
    {
        AttentionOptions causal = new(0.4f, true), open = new(0.4f, false);
        AttentionLayout single = new([0, 6]), ragged = new([0, 3, 3, 4, 9]), cross = new([0, 2, 7], [0, 5, 8]);
        GradientCase Attend(string variant, AttentionLayout layout, AttentionOptions options, int heads = 2, int kvHeads = 2, int d = 4, int dv = 4, bool slopes = false)
        {
            int queries = layout.TotalQueries, keys = layout.KeyStart(layout.Sequences - 1) + layout.KeyCount(layout.Sequences - 1);
            return Case(nameof(Tensor.Attention), variant, [Normal(queries, heads, d), Normal(keys, kvHeads, d), Normal(keys, kvHeads, dv)], x =>
                x[0].Attention(x[1], x[2], layout, options, slopes ? x[0].Workspace.From([.. Enumerable.Range(1, heads).Select(h => 0.3f / h)], new Shape(heads)) : null));
        }

        yield return Attend("causal", single, causal);
        yield return Attend("open", single, open);
        yield return Attend("a window of 3", single, causal with { Window = 3 });
        yield return Attend("an open window of 2", single, open with { Window = 2 });
        yield return Attend("soft cap", single, causal with { SoftCap = 1.5f });
        yield return Attend("dropout", single, open with { Dropout = 0.4f, DropoutKey = 3 });
        yield return Attend("slopes", single, causal, slopes: true);
        yield return Attend("grouped heads", single, causal, heads: 4, kvHeads: 2);
        yield return Attend("one key head", single, open, heads: 3, kvHeads: 1);
        yield return Attend("values of another size", single, causal, d: 3, dv: 5);
        yield return Attend("ragged", ragged, causal);
        yield return Attend("ragged, all at once", ragged, new AttentionOptions(0.4f, true, 2, 2f), heads: 4, kvHeads: 2, slopes: true);
        yield return Attend("cross", cross, open);
        yield return Attend("cross, causal: some queries see no key", cross, causal);
        yield return Attend("no keys", new AttentionLayout([0, 2], [0, 0]), open);
        yield return Attend("no queries", new AttentionLayout([0, 0], [0, 3]), open);
        yield return Case(nameof(Tensor.Attention), "bias", [Normal(6, 4, 4), Normal(6, 2, 4), Normal(6, 2, 4), Normal(4, 6, 6)], x =>
            x[0].Attention(x[1], x[2], single, causal, bias: x[3]));
        yield return Case(nameof(Tensor.Attention), "bias of ragged sequences, soft cap", [Normal(9, 2, 4), Normal(9, 2, 4), Normal(9, 2, 4), Normal(2, 5, 6)], x =>
            x[0].Attention(x[1], x[2], ragged, open with { SoftCap = 2 }, bias: x[3]));
        yield return Case(nameof(Tensor.Attention), "bias by distance", [Normal(9, 4, 4), Normal(9, 2, 4), Normal(9, 2, 4), Normal(4, 11)], x =>
            x[0].Attention(x[1], x[2], ragged, open, bias: x[3]));
        yield return Case(nameof(Tensor.Attention), "bias by distance, causal", [Normal(9, 4, 4), Normal(9, 2, 4), Normal(9, 2, 4), Normal(4, 9)], x =>
            x[0].Attention(x[1], x[2], ragged, causal, bias: x[3]));
        yield return Case(nameof(Tensor.Attention), "a bias that masks", [Normal(4, 2, 4), Normal(4, 2, 4), Normal(4, 2, 4)], x =>
        {
            float[] mask = new float[2 * 4 * 4];
            mask[3] = mask[18] = float.NegativeInfinity;
            new Span<float>(mask, 4, 4).Fill(float.NegativeInfinity);
            return x[0].Attention(x[1], x[2], new AttentionLayout([0, 4]), open, bias: x[0].Workspace.From(mask, new Shape(2, 4, 4)));
        });
        foreach (FusedHeads heads in new FusedHeads[] { new(1, 2, 2, 4), new(2, 2, 2, 3), new(2, 4, 2, 4), new(1, 3, 1, 2) })
        {
            yield return Case(nameof(Tensor.Attention), $"side by side, {heads.Groups} groups of {heads.Heads} and {heads.KeyValueHeads} heads", [Normal(9, heads.Columns)], x =>
                x[0].Attention(heads, ragged, causal));
        }
        yield return Case(nameof(Tensor.Attention), "of a tensor to itself", [Normal(5, 2, 4)], x => x[0].Attention(x[0], x[0], new AttentionLayout([0, 5]), causal));
    }

    private static IEnumerable<GradientCase> Recurrences()
    {
        // In the order of the layout the second sequence is the longest; the fourth is empty.
        RecurrentLayout ragged = new RecurrentLayout().Set(new AttentionLayout([0, 2, 7, 10, 10, 11])), single = new RecurrentLayout().Set(new AttentionLayout([0, 4]));
        foreach (RecurrentCell cell in Enum.GetValues<RecurrentCell>())
        {
            int width = cell.Gates() * 3;
            yield return Case(nameof(Tensor.Recur), $"{cell}", [Normal(4, width), Normal(width, 3)], x => x[0].Recur(cell, single, x[1]));
            yield return Case(nameof(Tensor.Recur), $"{cell} of ragged sequences", [Normal(11, width), Normal(width, 3), Normal(width)], x =>
                x[0].Recur(cell, ragged, x[1], x[2]));
            Given[] inputs = [Normal(11, width), Normal(width, 3), Normal(width), Normal(5, 3)];
            yield return Case(nameof(Tensor.Recur), $"{cell} with a state to begin with", cell == RecurrentCell.Lstm ? [.. inputs, Normal(5, 3)] : inputs, x =>
                x[0].Recur(cell, ragged, x[1], x[2], x[3], x.Length > 4 ? x[4] : null));
        }
    }
}
