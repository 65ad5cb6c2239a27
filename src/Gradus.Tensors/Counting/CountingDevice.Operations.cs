using System.Runtime.InteropServices;
using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Counting;

public sealed partial class CountingDevice
{
    /// <inheritdoc/>
    public override unsafe void Clear(Tensor y)
    {
        Count("clear", 0, "", [y], (d, t) => d.Clear(t[0]!));
        // Ids and places, which the host reads.
        if (_own.ContainsKey(y.Storage.Address))
            NativeMemory.Clear((void*)y.Address, (nuint)(y.Count * y.DType.Size()));
    }

    /// <inheritdoc/>
    public override void Fill(Tensor y, float value) => Count("fill", 0, "", [y], (d, t) => d.Fill(t[0]!, value));

    /// <inheritdoc/>
    public override void Convert(Tensor x, Tensor y) => Count("convert", 0, "", [x, y], (d, t) => d.Convert(t[0]!, t[1]!));

    /// <inheritdoc/>
    public override void CopyColumns(Tensor x, int xStart, Tensor y, int yStart, int columns, bool accumulate) =>
        Count("copy columns", 0, $"{xStart} {yStart} {columns} {accumulate}", [x, y], (d, t) => d.CopyColumns(t[0]!, xStart, t[1]!, yStart, columns, accumulate));

    /// <inheritdoc/>
    public override void SwapAxes(Tensor x, Tensor y, int a, int b, int c) =>
        Count("swap axes", 0, $"{a} {b} {c}", [x, y], (d, t) => d.SwapAxes(t[0]!, t[1]!, a, b, c));

    /// <inheritdoc/>
    public override void Binary(BinaryOp op, Tensor a, Tensor b, Tensor y) =>
        Count("element-wise", 0, $"{op}", [a, b, y], (d, t) => d.Binary(op, t[0]!, t[1]!, t[2]!));

    /// <inheritdoc/>
    public override void Scale(Tensor x, float alpha, Tensor y) => Count("element-wise", 0, "scale", [x, y], (d, t) => d.Scale(t[0]!, alpha, t[1]!));

    /// <inheritdoc/>
    public override void ScaleRows(Tensor x, Tensor factors, Tensor y) =>
        Count("element-wise", 0, "scale rows", [x, factors, y], (d, t) => d.ScaleRows(t[0]!, t[1]!, t[2]!));

    /// <inheritdoc/>
    public override void Axpy(float alpha, Tensor x, Tensor y) => Count("element-wise", 0, "axpy", [x, y], (d, t) => d.Axpy(alpha, t[0]!, t[1]!));

    /// <inheritdoc/>
    public override void Activate(Activation f, Tensor x, Tensor y) => Count("activation", 0, $"{f}", [x, y], (d, t) => d.Activate(f, t[0]!, t[1]!));

    /// <inheritdoc/>
    public override void ActivateGradient(Activation f, Tensor x, Tensor dy, Tensor dx) =>
        Count("activation", 0, $"{f} gradient", [x, dy, dx], (d, t) => d.ActivateGradient(f, t[0]!, t[1]!, t[2]!));

    /// <inheritdoc/>
    public override void Gate(Activation f, Tensor gate, Tensor up, Tensor y) =>
        Count("activation", 0, $"{f} gate", [gate, up, y], (d, t) => d.Gate(f, t[0]!, t[1]!, t[2]!));

    /// <inheritdoc/>
    public override void GateGradient(Activation f, Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) =>
        Count("activation", 0, $"{f} gate gradient", [gate, up, dy, dGate, dUp], (d, t) => d.GateGradient(f, t[0]!, t[1]!, t[2]!, t[3]!, t[4]!));

    /// <inheritdoc/>
    public override void Dropout(Tensor x, float probability, ulong key, Tensor y) =>
        Count("dropout", 0, $"{probability}", [x, y], (d, t) => d.Dropout(t[0]!, probability, key, t[1]!));

    /// <inheritdoc/>
    public override void SumRows(Tensor x, Tensor y, bool accumulate) => Count("sums", 0, $"{accumulate}", [x, y], (d, t) => d.SumRows(t[0]!, t[1]!, accumulate));

    /// <inheritdoc/>
    public override double Sum(Tensor x)
    {
        Count("sums", 0, "all", [x], (d, t) => d.Sum(t[0]!));
        return 0;
    }

    /// <inheritdoc/>
    public override double SumOfSquares(params ReadOnlySpan<Tensor> tensors)
    {
        foreach (Tensor tensor in tensors)
            Count("sums", 0, "squares", [tensor], (d, t) => d.SumOfSquares(t[0]!));
        return 0;
    }

    /// <inheritdoc/>
    public override void RowDots(Tensor a, Tensor b, Tensor y) => Count("sums", 0, "row dots", [a, b, y], (d, t) => d.RowDots(t[0]!, t[1]!, t[2]!));

    /// <inheritdoc/>
    public override void MatMul(in MatMulTask task)
    {
        CountPanels(task);
        Scatter(task.C);
        MatMulTask given = task;
        Count(
            "product",
            2.0 * given.M * given.N * given.K * given.Batch,
            $"{given.M} {given.N} {given.K} {given.Batch} {given.TransposeA} {given.TransposeB} {given.Accumulate} {given.Precision} {given.Epilogue.Kind} {given.B.Owner?.Trainable}",
            [given.A, given.B, given.C, given.Bias, given.Epilogue.Input, given.Epilogue.Sums],
            (d, t) => d.MatMul(given with { A = t[0]!, B = t[1]!, C = t[2]!, Bias = t[3], Epilogue = given.Epilogue.Over(t[4], t[5]) }),
            t => MakeParameter(t[1]!, given.B.Owner));
    }

    // Of a parameter that does not change the kernels keep a copy.
    private static void MakeParameter(Tensor value, Parameter? like)
    {
        if (like is not null)
            _ = new Parameter("weight", value) { Trainable = like.Trainable };
    }

    /// <inheritdoc/>
    public override void MatMulPacked(in PackedMatMulTask task)
    {
        PackedMatMulTask given = task;
        PackedMatrix? weights = null;
        Count(
            "product of packed weights",
            2.0 * given.M * given.B.Rows * given.B.Columns,
            $"{given.B.Format} {given.B.Rows} {given.B.Columns} {given.TransposeB} {given.Accumulate} {given.Precision} {given.Epilogue.Kind} {given.B.ExactActivations}",
            [given.A, given.C, given.Bias, given.Epilogue.Input, given.Epilogue.Sums],
            (d, t) =>
            {
                if (weights is null || weights.Handle.Workspace != t[0]!.Workspace)
                    weights = Zeros(given.B, t[0]!.Workspace);
                d.MatMulPacked(given with { A = t[0]!, B = weights, C = t[1]!, Bias = t[2], Epilogue = given.Epilogue.Over(t[3], t[4]) });
            });
    }

    private static PackedMatrix Zeros(PackedMatrix like, Workspace workspace)
    {
        PackedMatrix zeros = like.DoubleScales is { } scales
            ? new PackedMatrix(workspace, like.Rows, like.Columns, scales)
            : new PackedMatrix(workspace, like.Format, like.Rows, like.Columns);
        zeros.Data.Clear();
        zeros.ExactActivations = like.ExactActivations;
        return zeros;
    }

    /// <inheritdoc/>
    public override void Unpack(PackedMatrix matrix, Tensor y)
    {
        PackedMatrix? weights = null;
        Count("unpack", 0, $"{matrix.Format} {matrix.Rows} {matrix.Columns}", [y], (d, t) =>
        {
            if (weights is null || weights.Handle.Workspace != t[0]!.Workspace)
                weights = Zeros(matrix, t[0]!.Workspace);
            d.Unpack(weights, t[0]!);
        });
    }

    /// <inheritdoc/>
    public override void Gather(Tensor table, Tensor ids, Tensor y) =>
        Count("rows", 0, "gather", [table, ids, y], (d, t) => d.Gather(t[0]!, t[1]!, t[2]!), t => Spread(t[1]!, t[0]!));

    /// <inheritdoc/>
    public override void ScatterAdd(Tensor dy, Tensor ids, Tensor table) =>
        Count("rows", 0, "scatter", [dy, ids, table], (d, t) => d.ScatterAdd(t[0]!, t[1]!, t[2]!), t => Spread(t[1]!, t[2]!));

    /// <inheritdoc/>
    public override void PutRows(Tensor x, Tensor rows, Tensor table) =>
        Count("rows", 0, "put", [x, rows, table], (d, t) => d.PutRows(t[0]!, t[1]!, t[2]!), t => Spread(t[1]!, t[2]!));

    // Rows from all over the table, as tokens of a text have them.
    private static void Spread(Tensor ids, Tensor table)
    {
        Span<int> rows = ids.Span<int>();
        int count = table.Shape[0], step = Math.Max(1, count / Math.Max(1, rows.Length));
        for (int i = 0; i < rows.Length; i++)
            rows[i] = (int)((long)i * step % count);
    }

    /// <inheritdoc/>
    public override void Softmax(Tensor x, Tensor y, bool log)
    {
        Scatter(y);
        Count("softmax", 0, $"{log}", [x, y], (d, t) => d.Softmax(t[0]!, t[1]!, log));
    }

    /// <inheritdoc/>
    public override void SoftmaxGradient(Tensor y, Tensor dy, Tensor dx, bool log) =>
        Count("softmax", 0, $"gradient {log}", [y, dy, dx], (d, t) => d.SoftmaxGradient(t[0]!, t[1]!, t[2]!, log));

    /// <inheritdoc/>
    public override void LogSumExp(Tensor x, Tensor y) => Count("softmax", 0, "sum", [x, y], (d, t) => d.LogSumExp(t[0]!, t[1]!));

    /// <inheritdoc/>
    public override void LogSumExpGradient(Tensor x, Tensor y, Tensor dy, Tensor dx) =>
        Count("softmax", 0, "sum gradient", [x, y, dy, dx], (d, t) => d.LogSumExpGradient(t[0]!, t[1]!, t[2]!, t[3]!));

    /// <inheritdoc/>
    public override void LayerNorm(Tensor x, Tensor? weight, Tensor? bias, float epsilon, Tensor y, Tensor mean, Tensor rstd) =>
        Count("norm", 0, "layer", [x, weight, bias, y, mean, rstd], (d, t) => d.LayerNorm(t[0]!, t[1], t[2], epsilon, t[3]!, t[4]!, t[5]!));

    /// <inheritdoc/>
    public override void LayerNormGradient(in NormGradientTask task) => CountNormGradient("layer", task, (d, t) => d.LayerNormGradient(t));

    /// <inheritdoc/>
    public override void RmsNorm(Tensor x, Tensor? weight, float offset, float epsilon, Tensor y, Tensor rstd) =>
        Count("norm", 0, $"rms {offset}", [x, weight, y, rstd], (d, t) => d.RmsNorm(t[0]!, t[1], offset, epsilon, t[2]!, t[3]!));

    /// <inheritdoc/>
    public override void RmsNormGradient(in NormGradientTask task) => CountNormGradient("rms", task, (d, t) => d.RmsNormGradient(t));

    private void CountNormGradient(string kind, NormGradientTask task, Action<Device, NormGradientTask> run) => Count(
        "norm",
        0,
        $"{kind} gradient {task.WeightOffset} {task.AccumulateWeight} {task.AccumulateBias}",
        [task.X, task.Rstd, task.Dy, task.Dx, task.Mean, task.Weight, task.DWeight, task.DBias],
        (d, t) => run(d, task with { X = t[0]!, Rstd = t[1]!, Dy = t[2]!, Dx = t[3], Mean = t[4], Weight = t[5], DWeight = t[6], DBias = t[7] }));

    /// <inheritdoc/>
    public override void CrossEntropy(in CrossEntropyTask task)
    {
        CrossEntropyTask given = task;
        Count("cross-entropy", 0, $"{given.FirstColumn > 0} {given.Last}", [given.Logits, given.Targets, given.Losses, given.LogSumExp, given.State], (d, t) =>
            d.CrossEntropy(given with { Logits = t[0]!, Targets = t[1]!, Losses = t[2]!, LogSumExp = t[3]!, State = t[4] }));
    }

    /// <inheritdoc/>
    public override void CrossEntropyGradient(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dLosses, Tensor dLogits, int firstColumn) =>
        Count("cross-entropy", 0, "gradient", [logits, targets, logSumExp, dLosses, dLogits], (d, t) => d.CrossEntropyGradient(t[0]!, t[1]!, t[2]!, t[3]!, t[4]!, firstColumn));

    /// <inheritdoc/>
    public override void Rotate(in RotaryTask task)
    {
        RotaryTask given = task;
        Count("rotary", 0, $"{given.Interleaved} {given.Inverse}", [given.X, given.Cos, given.Sin, given.Positions, given.Y], (d, t) =>
            d.Rotate(given with { X = t[0]!, Cos = t[1]!, Sin = t[2]!, Positions = t[3]!, Y = t[4]! }));
    }

    /// <inheritdoc/>
    public override void Attention(in AttentionTask task)
    {
        AttentionTask given = task;
        Count("attention", 2.0 * Pairs(given) * given.Heads * (given.Width + given.ValueWidth), Settings(given), TensorsOf(given), (d, t) => d.Attention(Over(given, t)));
    }

    /// <inheritdoc/>
    public override void AttentionGradient(in AttentionGradientTask task)
    {
        AttentionGradientTask given = task;
        AttentionTask forward = given.Forward;
        int own = TensorsOf(forward).Length;
        // Scores and probabilities once more, then the gradients of values, probabilities, queries and keys.
        Count(
            "attention gradient",
            2.0 * Pairs(forward) * forward.Heads * ((3 * forward.Width) + (2 * forward.ValueWidth)),
            Settings(forward),
            [.. TensorsOf(forward), given.Dy, given.Dq, given.Dk, given.Dv, given.DBias],
            (d, t) =>
            {
                Tensor dq = t[own + 1]!;
                AttentionGradientTask again = forward.Fused is null
                    ? new AttentionGradientTask(Over(forward, t), t[own]!, dq, t[own + 2]!, t[own + 3]!)
                    : new AttentionGradientTask(Over(forward, t), t[own]!, dq, dq, dq);
                d.AttentionGradient(again with { DBias = t[own + 4] });
            });
    }

    private static Tensor?[] TensorsOf(AttentionTask task) => [task.Q, task.K, task.V, task.Y, task.LogSumExp, task.Slopes, task.Bias];

    // Fused heads lie in one tensor.
    private static AttentionTask Over(AttentionTask task, Tensor?[] t) => task with
    {
        Q = t[0]!,
        K = task.Fused is null ? t[1]! : t[0]!,
        V = task.Fused is null ? t[2]! : t[0]!,
        Y = t[3]!,
        LogSumExp = t[4]!,
        Slopes = t[5],
        Bias = t[6],
    };

    private static string Settings(AttentionTask task) =>
        $"{task.Options.Causal} {task.Options.Window} {task.Options.SoftCap} {task.Options.Dropout} {task.Precision} {task.Layout.Sequences} {Pairs(task)} {task.Layout.PageSize}";

    // Query and key pairs of a head that are computed.
    private static long Pairs(AttentionTask task)
    {
        long pairs = 0;
        for (int s = 0; s < task.Layout.Sequences; s++)
        {
            int queries = task.Layout.QueryCount(s), keys = task.Layout.KeyCount(s);
            for (int q = 0; q < queries; q++)
            {
                (int first, int end) = task.Options.Visible(q, queries, keys);
                pairs += end - first;
            }
        }
        return pairs;
    }

    /// <inheritdoc/>
    public override void RecurrentCell(in RecurrentCellTask task)
    {
        RecurrentCellTask given = task;
        Count("recurrence", 0, $"{given.Cell}", [given.X, given.R, given.State, given.Hidden, given.Memory, given.Kept], (d, t) =>
            d.RecurrentCell(given with { X = t[0]!, R = t[1]!, State = t[2]!, Hidden = t[3]!, Memory = t[4], Kept = t[5]! }));
    }

    /// <inheritdoc/>
    public override void RecurrentCellGradient(in RecurrentCellGradientTask task)
    {
        RecurrentCellGradientTask given = task;
        bool shared = ReferenceEquals(given.DX, given.DR);
        Count(
            "recurrence",
            0,
            $"{given.Cell} gradient",
            [given.State, given.Memory, given.Kept, given.DHidden, given.DState, given.DX, given.DR],
            (d, t) => d.RecurrentCellGradient(given with { State = t[0]!, Memory = t[1], Kept = t[2]!, DHidden = t[3]!, DState = t[4]!, DX = t[5]!, DR = shared ? t[5]! : t[6]! }));
    }

    /// <inheritdoc/>
    public override void Update(ReadOnlySpan<UpdateTask> tasks)
    {
        foreach (UpdateTask task in tasks)
        {
            UpdateTask given = task;
            UpdatePart[] parts = [.. given.Parts.Span];
            Count(
                "update",
                0,
                string.Join(" ", parts.Select(p => p.Kind)),
                [given.Value, given.Gradient, given.Output, .. parts.SelectMany(p => (Tensor?[])[p.First, p.Second, p.Third])],
                (d, t) => d.Update([given with
                {
                    Value = t[0]!,
                    Gradient = t[1]!,
                    Output = t[2],
                    Parts = parts.Select((p, i) => p.Over(t[3 + (3 * i)], t[4 + (3 * i)], t[5 + (3 * i)])).ToArray(),
                }]));
        }
    }
}
