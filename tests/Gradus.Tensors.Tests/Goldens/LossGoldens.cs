using System.Globalization;
using System.Text.RegularExpressions;
using Gradus.Testing;

namespace Gradus.Tensors.Tests;

/// <summary>
/// Losses against torch and transformers, values and gradients, each written in terms of the operations. Cases are the entries
/// <c>NAME.loss</c> of golden/training/losses; numbers in a name (ε, δ, β, T, item counts) are read from it.
/// </summary>
public sealed class LossGoldens
{
    private const string Area = "training.losses";
    private const double Tolerance = 1e-5;

    private static readonly Lazy<GoldenTensors> Golden = new(() => new GoldenTensors(SharedFolder.Find("golden", "training", "losses", "tensors.safetensors")!));

    private static readonly (Regex Name, Func<Problem, float, Tensor> Run)[] Known =
    [
        (new("^cross_entropy_none$"), (p, _) => p.CrossEntropy(p.Labels)),
        (new("^cross_entropy_sum$"), (p, _) => p.CrossEntropy(p.Labels).Sum()),
        (new("^cross_entropy_mean$"), (p, _) => p.CrossEntropy(p.Labels).Sum().Scale(1f / p.Valid)),
        (new("^cross_entropy_weighted$"), (p, _) => p.Smoothed(p.Labels, 0, p.ClassWeights)),
        (new("^cross_entropy_smooth([\\d.]+)$"), (p, epsilon) => p.Smoothed(p.Labels, epsilon, null)),
        (new("^cross_entropy_smooth([\\d.]+)_weighted$"), (p, epsilon) => p.Smoothed(p.Labels, epsilon, p.ClassWeights)),
        (new("^hf_label_smoother_([\\d.]+)$"), (p, epsilon) => p.Smoothed(p.Labels, epsilon, null)),
        (new("^hf_label_smoother_([\\d.]+)_shift$"), (p, epsilon) => p.Smoothed(p.NextLabels, epsilon, null)),
        (new("^causal_lm_loss$"), (p, _) => p.CrossEntropy(p.NextLabels).Sum().Scale(1f / p.NextLabels.Count(l => l >= 0))),
        (new("^causal_lm_loss_num_items_in_batch_(\\d+)$"), (p, items) => p.CrossEntropy(p.NextLabels).Sum().Scale(1 / items)),
        (new("^z_loss_([\\de.-]+)$"), (p, factor) => p.CrossEntropy(p.Labels).Add(p.Counting(p.Logits.LogSumExp().Activate(Activation.Square)).Scale(factor)).Sum().Scale(1f / p.Valid)),
        (new("^distill_kl_T([\\d.]+)$"), (p, t) => p.Divergence(p.Teacher.Scale(1 / t), p.Logits.Scale(1 / t)).Scale(t * t)),
        (new("^reverse_kl$"), (p, _) => p.Divergence(p.Logits, p.Teacher)),
        (new("^bce_with_logits$"), (p, _) => p.BinaryCrossEntropy(null)),
        (new("^bce_with_logits_pos_weight$"), (p, _) => p.BinaryCrossEntropy(p.ClassWeights)),
        (new("^mse$"), (p, _) => p.Difference.Activate(Activation.Square).Mean()),
        (new("^l1$"), (p, _) => p.Distance.Mean()),
        (new("^huber_delta([\\d.]+)$"), (p, delta) => p.Huber(delta)),
        (new("^smooth_l1_beta([\\d.]+)$"), (p, beta) => p.Huber(beta).Scale(1 / beta)),
    ];

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        if (SharedFolder.Find("golden", "training", "losses", "tensors.safetensors") is null)
            return cases;
        foreach (string name in Losses().Except(PendingGoldens.Of(Area).Keys))
        {
            foreach (string device in TestDevices.Names)
                cases.Add(name, device);
        }
        return cases;
    }

    [SharedTheory("golden", "training", "losses", "tensors.safetensors")]
    [MemberData(nameof(Cases))]
    public void ComputesWhatTorchComputes(string name, string device)
    {
        using Workspace w = new(TestDevices.Get(device)) { PoisonNewTensors = true };
        Tape tape = w.StartTape();
        Problem problem = new(w, Golden.Value);
        Assert.True(TryRun(name, problem, out Tensor? loss), $"No test knows how to compute {name}: add it, or list it in golden-pending.txt with the reason.");
        Check($"{name}.loss", loss!.ToArray());
        tape.Backward(loss.Count == 1 ? loss : loss.Sum());
        Check($"{name}.grad", problem.Logits.Gradient!.ToArray());
    }

    [SharedFact("golden", "training", "losses", "tensors.safetensors")]
    public void PendingListNamesOnlyWhatCannotRun()
    {
        using Workspace w = new(ReferenceDevice.Instance);
        foreach (string pending in PendingGoldens.Of(Area).Keys)
        {
            Assert.True(Losses().Contains(pending), $"{pending} is on the pending list, but no case has that name.");
            Assert.False(TryRun(pending, new Problem(w, Golden.Value), out _), $"{pending} is on the pending list, but a test knows how to compute it.");
        }
    }

    private static IEnumerable<string> Losses() => Golden.Value.Names.Where(n => n.EndsWith(".loss", StringComparison.Ordinal)).Select(n => n[..^".loss".Length]);

    private static bool TryRun(string name, Problem problem, out Tensor? loss)
    {
        foreach ((Regex pattern, Func<Problem, float, Tensor> run) in Known)
        {
            Match match = pattern.Match(name);
            if (match.Success)
            {
                loss = run(problem, match.Groups.Count > 1 ? float.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : 0);
                return true;
            }
        }
        loss = null;
        return false;
    }

    private static void Check(string key, float[] actual)
    {
        float[] expected = Golden.Value.Floats(key);
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            bool same = Math.Abs(expected[i] - actual[i]) <= Tolerance * Math.Max(1, Math.Abs(expected[i]));
            Assert.True(same, $"{key}[{i}] is {actual[i]}, expected {expected[i]}");
        }
    }

    /// <summary>The inputs that all losses share, and the pieces they are made of.</summary>
    private sealed class Problem
    {
        private readonly Workspace _w;
        private readonly GoldenTensors _golden;
        private readonly int _classes;

        public Problem(Workspace w, GoldenTensors golden)
        {
            _w = w;
            _golden = golden;
            Logits = golden.In(w, "logits");
            Tape.Watch(Logits);
            _classes = Logits.Shape.Columns;
            Labels = golden.Integers("labels");
            int time = golden.Shape("labels")[^1];
            NextLabels = [.. Labels.Select((_, i) => i % time == time - 1 ? -100 : Labels[i + 1])];
        }

        public Tensor Logits { get; }

        public int[] Labels { get; }

        /// <summary>The label of the token behind each, as a language model learns them.</summary>
        public int[] NextLabels { get; }

        public int Valid => Labels.Count(l => l >= 0);

        public Tensor Teacher => _golden.In(_w, "teacher_logits");

        public float[] ClassWeights => _golden.Floats("class_weights");

        public Tensor Difference => Logits.Subtract(Teacher);

        // |d| = max(d, 0) + max(−d, 0).
        public Tensor Distance => Difference.Activate(Activation.Relu).Add(Difference.Scale(-1).Activate(Activation.Relu));

        public Tensor CrossEntropy(int[] labels) => Logits.CrossEntropy(_w.From(labels));

        /// <summary>Sets rows without a label to zero.</summary>
        public Tensor Counting(Tensor rows) => rows.Multiply(_w.From([.. Labels.Select(l => l >= 0 ? 1f : 0f)], new Shape(Labels.Length)));

        // −Σ q·log p with q = (1 − ε)·w_y at the label and ε/C·w everywhere, over Σ w_y.
        public Tensor Smoothed(int[] labels, float epsilon, float[]? weights)
        {
            float[] q = new float[labels.Length * _classes];
            float total = 0;
            for (int i = 0; i < labels.Length; i++)
            {
                if (labels[i] < 0)
                    continue;
                for (int c = 0; c < _classes; c++)
                    q[(i * _classes) + c] = ((c == labels[i] ? 1 - epsilon : 0) + (epsilon / _classes)) * (weights?[c] ?? 1);
                total += weights?[labels[i]] ?? 1;
            }
            return Logits.LogSoftmax().Multiply(_w.From(q, Logits.Shape)).Sum().Scale(-1 / total);
        }

        // Σ p·(log p − log q) over rows with a label, over their number.
        public Tensor Divergence(Tensor p, Tensor q)
        {
            float[] counts = [.. Labels.SelectMany(l => Enumerable.Repeat(l >= 0 ? 1f : 0f, _classes))];
            return p.Softmax().Multiply(p.LogSoftmax().Subtract(q.LogSoftmax())).Multiply(_w.From(counts, Logits.Shape)).Sum().Scale(1f / Valid);
        }

        // softplus(z) − y·z; with weights of the positive class y·w·softplus(−z) + (1 − y)·softplus(z).
        public Tensor BinaryCrossEntropy(float[]? positive)
        {
            Tensor y = _golden.In(_w, "binary_targets");
            Tensor right = Logits.Scale(-1).Activate(Activation.Softplus).Multiply(y);
            if (positive is not null)
                right = right.Multiply(_w.From(positive, new Shape(_classes)));
            Tensor wrong = _w.From([.. y.ToArray().Select(v => 1 - v)], y.Shape);
            return right.Add(Logits.Activate(Activation.Softplus).Multiply(wrong)).Mean();
        }

        // d²/2 up to δ, then δ(|d| − δ/2): with a = min(|d|, δ) that is a·|d| − a²/2.
        public Tensor Huber(float delta)
        {
            Tensor limit = _w.From([delta], new Shape(1));
            Tensor near = Distance.Subtract(Distance.Subtract(limit).Activate(Activation.Relu));
            return near.Multiply(Distance).Subtract(near.Activate(Activation.Square).Scale(0.5f)).Mean();
        }
    }
}
