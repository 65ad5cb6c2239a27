using System.Globalization;
using System.Text.RegularExpressions;
using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>
/// Operations against torch, values and gradients: those that Gradus has, and those that are a line or two of others. Cases are the
/// entries <c>NAME.y</c> of golden/training/ops; what a name means is decided by its pattern, so that other sizes and scales run too.
/// </summary>
public sealed partial class OperationGoldens
{
    private const string Area = "training.ops";
    private const double Tolerance = 1e-5;

    private static readonly Lazy<GoldenTensors> Golden = new(() => new GoldenTensors(SharedFolder.Find("golden", "training", "ops", "tensors.safetensors")!));

    private static readonly (Regex Name, Func<Inputs, Match, Tensor> Run)[] Known =
    [
        (ActivationName(), (i, m) => i["act.x"].Activate(Tensors.Activations.Parse(m.Groups[1].Value))),
        (new("^linear$"), (i, _) => i["linear.x"].Linear(i["linear.w"], i["linear.b"])),
        (new("^layer_norm$"), (i, _) => i["norm.x"].LayerNorm(i["norm.weight"], i["norm.bias"])),
        (new("^rms_norm$"), (i, _) => i["norm.x"].RmsNorm(i["norm.weight"], 1e-6f)),
        (new("^group_norm_g(\\d+)$"), (i, m) => GroupNorm(i["norm.x"], i["norm.weight"], i["norm.bias"], Number(m))),
        (new("^l2_normalize$"), (i, _) => i["norm.x"].RmsNorm(null, 1e-24f).Scale(1 / MathF.Sqrt(i["norm.x"].Shape.Columns))),
        (new("^softmax$"), (i, _) => i["norm.x"].Softmax()),
        (new("^log_softmax$"), (i, _) => i["norm.x"].LogSoftmax()),
        (new("^logsumexp$"), (i, _) => i["norm.x"].LogSumExp()),
        (new("^softmax_dim1$"), (i, _) => FromColumns(Columns(i["norm.x"]).Softmax(), i["norm.x"].Shape)),
        (new("^max_dim1$"), (i, _) => MaxOverTime(i["norm.x"])),
        (new("^cumsum_dim1$"), (i, _) => CumulativeSum(i["norm.x"])),
        (new("^var_dim-1_biased$"), (i, _) => SquaredDeviations(i["norm.x"]).Scale(1f / i["norm.x"].Shape.Columns)),
        (new("^std_dim-1_unbiased$"), (i, _) => SquaredDeviations(i["norm.x"]).Scale(1f / (i["norm.x"].Shape.Columns - 1)).Activate(Activation.Sqrt)),
        (new("^sdpa\\.causal$"), (i, _) => Attend(i, null, causal: true, null)),
        (new("^sdpa\\.full_scale(.+)$"), (i, m) => Attend(i, float.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture), causal: false, null)),
        (new("^sdpa\\.masked$"), (i, _) => Attend(i, null, causal: false, "sdpa.additive_mask")),
    ];

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        if (SharedFolder.Find("golden", "training", "ops", "tensors.safetensors") is null)
            return cases;
        foreach (string name in Operations().Except(PendingGoldens.Of(Area).Keys))
        {
            foreach (string device in TestDevices.Names)
                cases.Add(name, device);
        }
        return cases;
    }

    [SharedTheory("golden", "training", "ops", "tensors.safetensors")]
    [MemberData(nameof(Cases))]
    public void ComputesWhatTorchComputes(string name, string device)
    {
        using Workspace w = new(TestDevices.Get(device)) { PoisonNewTensors = true };
        Tape tape = w.StartTape();
        Inputs inputs = new(w, Golden.Value);
        Assert.True(TryRun(name, inputs, out Tensor? y), $"No test knows how to compute {name}: add it, or list it in golden-pending.txt with the reason.");
        Check($"{name}.y", y!.ToArray());
        tape.Backward(y, OutputGradient(w, name, y));
        string[] gradients = [.. Golden.Value.Names.Where(n => n.StartsWith($"{name}.grad", StringComparison.Ordinal) && !n.EndsWith("grad_out", StringComparison.Ordinal))];
        Assert.NotEmpty(gradients);
        foreach (string gradient in gradients)
            Check(gradient, inputs.GradientOf(name, gradient[(name.Length + 1)..]));
    }

    [SharedFact("golden", "training", "ops", "tensors.safetensors")]
    public void PendingListNamesOnlyWhatCannotRun()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        foreach (string pending in PendingGoldens.Of(Area).Keys)
        {
            Assert.True(Operations().Contains(pending), $"{pending} is on the pending list, but no case has that name.");
            Assert.False(TryRun(pending, new Inputs(w, Golden.Value), out _), $"{pending} is on the pending list, but a test knows how to compute it.");
        }
    }

    private static IEnumerable<string> Operations() => Golden.Value.Names.Where(n => n.EndsWith(".y", StringComparison.Ordinal)).Select(n => n[..^2]);

    private static bool TryRun(string name, Inputs inputs, out Tensor? y)
    {
        foreach ((Regex pattern, Func<Inputs, Match, Tensor> run) in Known)
        {
            Match match = pattern.Match(name);
            if (match.Success)
            {
                y = run(inputs, match);
                return true;
            }
        }
        y = null;
        return false;
    }

    // The gradient that the family gives, or ones where the output has another shape than it.
    private static Tensor OutputGradient(Workspace w, string name, Tensor y)
    {
        string family = name.Split('.')[0];
        string key = Golden.Value.Has($"{family}.grad_out") ? $"{family}.grad_out" : "norm.grad_out";
        if (family != "act" && Golden.Value.Floats(key).Length == y.Count)
            return w.From(Golden.Value.Floats(key), y.Shape);
        Tensor ones = w.Empty(y.Shape);
        w.Device.Fill(ones, 1);
        return ones;
    }

    private static void Check(string key, float[] actual)
    {
        float[] expected = Golden.Value.Floats(key);
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            bool same = expected[i].Equals(actual[i]) || Math.Abs(expected[i] - actual[i]) <= Tolerance * Math.Max(1, Math.Abs(expected[i]));
            Assert.True(same, $"{key}[{i}] is {actual[i]}, expected {expected[i]}");
        }
    }

    private static int Number(Match match) => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);

    // (B, T, C) → (B·C, T): one row for each column over time.
    private static Tensor Columns(Tensor x)
    {
        int b = x.Shape[0], t = x.Shape[1], c = x.Shape[2];
        return x.SwapAxes().Reshape(t, b * c).SwapAxes();
    }

    private static Tensor FromColumns(Tensor columns, Shape shape) => columns.SwapAxes().Reshape(shape[1], shape[0], shape[2]).SwapAxes();

    // Channels are the last axis here; torch's come second.
    private static Tensor GroupNorm(Tensor x, Tensor weight, Tensor bias, int groups)
    {
        int b = x.Shape[0], t = x.Shape[1], c = x.Shape[2];
        Tensor normal = Columns(x).Reshape(b * groups, c / groups * t).LayerNorm(null, null);
        return FromColumns(normal.Reshape(b * c, t), x.Shape).Multiply(weight).Add(bias);
    }

    // max(a, b) = a + max(b − a, 0), row by row.
    private static Tensor MaxOverTime(Tensor x)
    {
        Tensor rows = x.SwapAxes().Reshape(x.Shape[1], x.Shape[0] * x.Shape[2]), max = rows.Rows(0, 1);
        for (int t = 1; t < x.Shape[1]; t++)
            max = max.Add(rows.Rows(t, 1).Subtract(max).Activate(Activation.Relu));
        return max;
    }

    // A product with a lower triangle of ones.
    private static Tensor CumulativeSum(Tensor x)
    {
        int b = x.Shape[0], t = x.Shape[1];
        float[] triangle = new float[b * t * t];
        for (int i = 0; i < triangle.Length; i++)
            triangle[i] = i % t <= i / t % t ? 1 : 0;
        return x.Workspace.From(triangle, new Shape(b, t, t)).MatMul(x);
    }

    // Σ (x − mean)² of every row; taking the mean away is a product with I − 1/C.
    private static Tensor SquaredDeviations(Tensor x)
    {
        int c = x.Shape.Columns;
        float[] center = new float[c * c], ones = new float[c];
        for (int i = 0; i < center.Length; i++)
            center[i] = (i % c == i / c ? 1 : 0) - (1f / c);
        Array.Fill(ones, 1);
        return x.Linear(x.Workspace.From(center, new Shape(c, c))).Activate(Activation.Square).Linear(x.Workspace.From(ones, new Shape(1, c)));
    }

    // (B, H, T, D) → one sequence after the other, (B·T, H, D), and back. The mask differs by sequence, so each attends by itself.
    private static Tensor Attend(Inputs inputs, float? scale, bool causal, string? mask)
    {
        Tensor q = inputs["sdpa.q"], k = inputs["sdpa.k"], v = inputs["sdpa.v"];
        int b = q.Shape[0], h = q.Shape[1], queries = q.Shape[2], d = q.Shape[3], keys = k.Shape[2];
        AttentionOptions options = new(scale ?? (1 / MathF.Sqrt(d)), causal);
        AttentionLayout layout = new([0, queries], [0, keys]);
        Tensor? all = null;
        for (int s = 0; s < b; s++)
        {
            Tensor? bias = null;
            if (mask is not null)
            {
                float[] values = inputs.Values(mask).AsSpan(s * queries * keys, queries * keys).ToArray();
                bias = q.Workspace.From([.. Enumerable.Repeat(values, h).SelectMany(m => m)], new Shape(h, queries, keys));
            }
            Tensor y = Sequence(q, s).Attention(Sequence(k, s), Sequence(v, s), layout, options, bias: bias).SwapAxes().Reshape(1, h * queries * d);
            all = all is null ? y : all.Append(y);
        }
        return all!.Reshape(b, h, queries, d);
    }

    private static Tensor Sequence(Tensor x, int s) => x.Rows(s, 1).Reshape(x.Shape[1], x.Shape[2], x.Shape[3]).SwapAxes();

    [GeneratedRegex("^act\\.(.+)$")]
    private static partial Regex ActivationName();

    /// <summary>Inputs by their names in the file, watched.</summary>
    private sealed class Inputs(Workspace w, GoldenTensors golden)
    {
        private readonly Dictionary<string, Tensor> _used = [];

        public Tensor this[string name]
        {
            get
            {
                if (!_used.TryGetValue(name, out Tensor? x))
                {
                    _used[name] = x = golden.In(w, name);
                    Tape.Watch(x);
                }
                return x;
            }
        }

        public float[] Values(string name) => golden.Floats(name);

        // "grad_w" is the gradient of the input whose last name begins with w; "grad" that of x.
        public float[] GradientOf(string operation, string gradient)
        {
            string letter = gradient == "grad" ? "x" : gradient["grad_".Length..];
            Tensor x = Assert.Single(_used, u => u.Key.Split('.')[^1].StartsWith(letter, StringComparison.Ordinal)).Value;
            Assert.True(x.Gradient is not null, $"{operation}: no {gradient}");
            return x.Gradient!.ToArray();
        }
    }
}
