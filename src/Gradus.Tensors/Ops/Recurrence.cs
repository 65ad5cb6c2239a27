// A recurrent layer as one operation. The caller has multiplied the inputs of all steps by the input weights at once; what is left is one
// product with the hidden weights per step, over all sequences that are that long, and the cell. Both are operations of the device, so a
// device needs no more than the element-wise cell for it. The backward pass mirrors it, and takes the hidden weights' gradient of all
// steps in one product at the end. Left out: gradients that go from the last state into another block (truncated back-propagation).

namespace Gradus.Tensors;

public sealed partial class Tensor
{
    /// <summary>
    /// hₜ = cell(xₜ, W·hₜ₋₁ + b, hₜ₋₁) for all steps of ragged sequences; this tensor holds the inputs' products xₜ, (N, G·H), in the order
    /// of the layout.
    /// </summary>
    /// <param name="cell">LSTM (G = 4) or GRU (G = 3).</param>
    /// <param name="layout">The order of the rows.</param>
    /// <param name="weight">W, (G·H, H).</param>
    /// <param name="bias">b, (G·H), or null.</param>
    /// <param name="h0">(S, H): hidden states before the first step, in the order of the sequences; zeros where null.</param>
    /// <param name="c0">(S, H): the same for the LSTM's memory.</param>
    /// <returns>The hidden states (N, H), in the order of the layout.</returns>
    public Tensor Recur(RecurrentCell cell, RecurrentLayout layout, Tensor weight, Tensor? bias = null, Tensor? h0 = null, Tensor? c0 = null) =>
        Recur(cell, layout, weight, bias, h0, c0, out _);

    /// <inheritdoc cref="Recur(RecurrentCell, RecurrentLayout, Tensor, Tensor, Tensor, Tensor)"/>
    /// <param name="cell">LSTM (G = 4) or GRU (G = 3).</param>
    /// <param name="layout">The order of the rows.</param>
    /// <param name="weight">W, (G·H, H).</param>
    /// <param name="bias">b, (G·H), or null.</param>
    /// <param name="h0">(S, H), or null.</param>
    /// <param name="c0">(S, H), or null.</param>
    /// <param name="memory">The LSTM's memory after every step, (N, H), which has no gradient; null for the GRU.</param>
    public Tensor Recur(RecurrentCell cell, RecurrentLayout layout, Tensor weight, Tensor? bias, Tensor? h0, Tensor? c0, out Tensor? memory)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(weight);
        int units = weight.Shape.Columns, width = cell.Gates() * units;
        if (weight.Shape.Rank != 2 || weight.Shape[0] != width || Shape.Rank != 2 || Shape.Columns != width || Shape[0] != layout.Rows || (bias is not null && bias.Count != width))
            throw new ArgumentException($"Recur: x {Shape} is ({layout.Rows} rows, {width}), the weight {weight.Shape} ({width}, {units}), the bias {bias?.Shape} ({width}).");
        CheckStart(h0, layout, units, nameof(h0));
        CheckStart(c0, layout, units, nameof(c0));
        Workspace w = Workspace.Innermost(this, weight, h0);
        bool records = w.Records(this, weight, bias) || (h0 is not null && w.Records(h0, c0)) || (c0 is not null && w.Records(c0));
        Recurrence steps = new(w, cell, layout, this, weight, bias, h0, c0, keep: records);
        steps.Forward();
        memory = steps.Memory;
        if (records)
            w.Tape!.Record(steps.Hidden, new RecurNode(steps));
        return steps.Hidden;
    }

    private static void CheckStart(Tensor? start, RecurrentLayout layout, int units, string name)
    {
        if (start is not null && (start.Shape.Rank != 2 || start.Shape[0] != layout.Sequences || start.Shape[1] != units))
            throw new ArgumentException($"Recur: the state to begin with is ({layout.Sequences} sequences, {units}), but it is {start.Shape}.", name);
    }

    private sealed class RecurNode(Recurrence steps) : Node
    {
        public override void Backward(Tensor dy) => steps.Backward(dy);
    }

    /// <summary>The inputs of a recurrent layer and what its steps made; a structure, so that generation allocates nothing.</summary>
    private readonly struct Recurrence(
        Workspace w, RecurrentCell cell, RecurrentLayout layout, Tensor x, Tensor weight, Tensor? bias, Tensor? h0, Tensor? c0, bool keep)
    {
        private readonly int _units = weight.Shape.Columns;
        private readonly int _width = weight.Shape[0];
        private readonly Tensor _firstHidden = First(w, layout, h0, weight.Shape.Columns);
        private readonly Tensor? _firstMemory = cell == RecurrentCell.Lstm ? First(w, layout, c0, weight.Shape.Columns) : null;
        private readonly Tensor? _kept = keep ? w.Empty(new Shape(layout.Rows, 4 * weight.Shape.Columns)) : null;

        public Tensor Hidden { get; } = w.Empty(new Shape(layout.Rows, weight.Shape.Columns));

        public Tensor? Memory { get; } = cell == RecurrentCell.Lstm ? w.Empty(new Shape(layout.Rows, weight.Shape.Columns)) : null;

        public void Forward()
        {
            for (int t = 0; t < layout.Steps; t++)
            {
                int rows = layout.StepRows(t), start = layout.StepStart(t);
                using Workspace step = w.OpenChild();
                Tensor r = step.Empty(new Shape(rows, _width)), before = Before(step, t, Hidden, _firstHidden);
                w.Device.MatMul(new MatMulTask(before, weight, r, rows, _width, _units) { TransposeB = true, Bias = bias, Precision = w.Precision });
                w.Device.RecurrentCell(new RecurrentCellTask(
                    cell,
                    Part(step, x, start, rows),
                    r,
                    Memory is null ? before : Before(step, t, Memory, _firstMemory!),
                    Part(step, Hidden, start, rows),
                    Memory is null ? null : Part(step, Memory, start, rows),
                    _kept is null ? step.Empty(new Shape(rows, 4 * _units)) : Part(step, _kept, start, rows)));
            }
        }

        // From the last step to the first: dhₜ = dyₜ + what step t + 1 passes back through W (and, in the GRU, past the gate z).
        public void Backward(Tensor dy)
        {
            Workspace g = dy.Workspace;
            Tensor dx = g.Empty(x.Shape), dr = cell == RecurrentCell.Lstm ? dx : g.Empty(x.Shape);
            Tensor dHidden = g.Zeros(_firstHidden.Shape), dMemory = cell == RecurrentCell.Lstm ? g.Zeros(_firstHidden.Shape) : dHidden;
            for (int t = layout.Steps - 1; t >= 0; t--)
            {
                int rows = layout.StepRows(t), start = layout.StepStart(t);
                using Workspace step = g.OpenChild();
                Tensor dh = step.Empty(new Shape(rows, _units)), passed = Part(step, dHidden, 0, rows), drStep = Part(step, dr, start, rows);
                g.Device.Binary(BinaryOp.Add, Part(step, dy, start, rows), passed, dh);
                g.Device.RecurrentCellGradient(new RecurrentCellGradientTask(
                    cell,
                    Memory is null ? Before(step, t, Hidden, _firstHidden) : Before(step, t, Memory, _firstMemory!),
                    Memory is null ? null : Part(step, Memory, start, rows),
                    Part(step, _kept!, start, rows),
                    dh,
                    Part(step, dMemory, 0, rows),
                    Part(step, dx, start, rows),
                    drStep));
                g.Device.MatMul(new MatMulTask(drStep, weight, passed, rows, _units, _width) { Accumulate = cell == RecurrentCell.Gru, Precision = g.Precision });
            }
            PassWeights(g, dr);
            PassFirst(g, h0, dHidden);
            if (cell == RecurrentCell.Lstm)
                PassFirst(g, c0, dMemory);
            x.AddGradient(dx);
            _kept!.Detach();
            Memory?.Detach();
        }

        // dW = drᵀ·hₜ₋₁ and db = Σ dr, over all steps at once.
        private void PassWeights(Workspace g, Tensor dr)
        {
            if (weight.NeedsGradient)
            {
                using Workspace inner = g.OpenChild();
                Tensor before = inner.Empty(Hidden.Shape);
                inner.Device.Scale(_firstHidden, 1f, Part(inner, before, 0, layout.Running));
                inner.Device.Gather(Hidden, inner.From(layout.Previous), Part(inner, before, layout.Running, layout.Rows - layout.Running));
                Tensor dw = weight.GradientTarget(out bool add);
                g.Device.MatMul(new MatMulTask(dr, before, dw, _width, _units, layout.Rows) { TransposeA = true, Accumulate = add, Precision = g.Precision });
            }
            if (bias is { NeedsGradient: true })
            {
                Tensor db = bias.GradientTarget(out bool add);
                g.Device.SumRows(dr, db, add);
            }
        }

        private void PassFirst(Workspace g, Tensor? first, Tensor gradient)
        {
            if (first is not { NeedsGradient: true })
                return;
            Tensor all = g.Zeros(first.Shape);
            g.Device.PutRows(gradient, g.From(layout.RunningSequences), all);
            first.AddGradient(all);
        }

        private Tensor Before(Workspace step, int t, Tensor states, Tensor first) =>
            t == 0 ? first : Part(step, states, layout.StepStart(t - 1), layout.StepRows(t));

        private static Tensor Part(Workspace step, Tensor of, int start, int rows) =>
            step.View(of, new Shape(rows, of.Shape.Columns), (long)start * of.Shape.Columns * sizeof(float));

        private static Tensor First(Workspace w, RecurrentLayout layout, Tensor? given, int units)
        {
            if (given is null)
                return w.Zeros(new Shape(layout.Running, units));
            Tensor sorted = w.Empty(new Shape(layout.Running, units));
            w.Device.Gather(given, w.From(layout.RunningSequences), sorted);
            return sorted;
        }
    }
}
