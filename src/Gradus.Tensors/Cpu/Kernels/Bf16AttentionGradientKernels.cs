// The backward pass of attention with its five products in bf16; see AttentionGradientKernels for the formulas. All operands of a key/value
// head are packed once; sums are in F32 and in one order: over blocks of keys, then heads of the group, then blocks of queries.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private const int GradientLines = 2 * Lines;

    // What one key/value head of one sequence needs. Panels of left operands are 32 rows, those of right operands 32 columns; "turned" ones
    // are of the transpose. There are panels for whole blocks of queries, so that blocks of dQ need no edges.
    private readonly ref struct Bf16GradientWork
    {
        public readonly ushort* Queries;
        public readonly ushort* QueriesRight;
        public readonly ushort* Dy;
        public readonly ushort* DyRight;
        public readonly ushort* KeysRight;
        public readonly ushort* KeysTurned;
        public readonly ushort* ValuesTurned;
        public readonly ushort* Left;
        public readonly float* P;
        public readonly float* Ds;
        public readonly float* Dq;
        public readonly float* Dk;
        public readonly float* Dv;
        public readonly float* Totals;
        public readonly int QueryPanels;
        public readonly int KeyPanels;
        public readonly int Steps;
        public readonly int ValueSteps;

        public Bf16GradientWork(ref AttentionJob job, int queries, int keys)
        {
            int group = job.Heads / job.KvHeads;
            Steps = Bf16Pack.Steps(job.D);
            ValueSteps = Bf16Pack.Steps(job.Dv);
            QueryPanels = GradientLines / Lines * ((queries + GradientLines - 1) / GradientLines);
            KeyPanels = Bf16Pack.Steps(keys);
            nint perQueries = (nint)group * QueryPanels * Bf16Pack.StepElements, perKeys = (nint)KeyPanels * Bf16Pack.StepElements;
            nint left = GradientLines / Lines * (GradientLines / Lines) * Bf16Pack.StepElements;
            nint panels = (2 * perQueries * (Steps + ValueSteps)) + (perKeys * ((2 * Steps) + ValueSteps)) + left;
            Queries = (ushort*)Scratch.Get(Scratch.Slot.ProductA, (nuint)panels * sizeof(ushort));
            QueriesRight = Queries + (perQueries * Steps);
            Dy = QueriesRight + (perQueries * Steps);
            DyRight = Dy + (perQueries * ValueSteps);
            KeysRight = DyRight + (perQueries * ValueSteps);
            KeysTurned = KeysRight + (perKeys * Steps);
            ValuesTurned = KeysTurned + (perKeys * Steps);
            Left = ValuesTurned + (perKeys * ValueSteps);
            nint dq = (nint)group * QueryPanels * Lines * Width;
            nint floats = (GradientLines * ((2 * GradientLines) + Width + ValueWidth)) + dq + ((nint)group * queries);
            P = (float*)Scratch.Get(Scratch.Slot.Attention, (nuint)floats * sizeof(float));
            Ds = P + (GradientLines * GradientLines);
            Dk = Ds + (GradientLines * GradientLines);
            Dv = Dk + (GradientLines * Width);
            Dq = Dv + (GradientLines * ValueWidth);
            Totals = Dq + dq;
            NativeMemory.Clear(Dq, (nuint)dq * sizeof(float));
        }

        /// <summary>Floats in a row of dQ and dK, whole panels.</summary>
        public int Width => Steps * Lines;

        /// <summary>Floats in a row of dV, whole panels.</summary>
        public int ValueWidth => ValueSteps * Lines;

        /// <summary>Elements of one step's panels of the queries of all heads before one of the group.</summary>
        public nint Before(int head) => (nint)head * QueryPanels * Bf16Pack.StepElements;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bf16GradientPiece(ref AttentionJob job, int sequence, int kv)
    {
        int group = job.Heads / job.KvHeads, queries = job.Task.Layout.QueryCount(sequence), keys = job.Task.Layout.KeyCount(sequence);
        Bf16GradientWork work = new(ref job, queries, keys);
        long keyRow = job.Task.Layout.KeyStart(sequence);
        PackForGradient(ref job, work, sequence, kv, keyRow);
        job.Kernels.Configure();
        for (int j = 0; j < keys; j += GradientLines)
        {
            int count = Math.Min(GradientLines, keys - j);
            new Span<float>(work.Dk, GradientLines * work.Width).Clear();
            new Span<float>(work.Dv, GradientLines * work.ValueWidth).Clear();
            for (int g = 0; g < group; g++)
            {
                HeadView view = new(ref job.Task, sequence, (kv * group) + g);
                for (int i = 0; i < queries; i += GradientLines)
                {
                    int rows = Math.Min(GradientLines, queries - i);
                    if (view.Visible(i + rows - 1).End > j && view.Visible(i).First < j + count)
                        Bf16GradientBlock(ref job, work, view, g, i, rows, j, count);
                }
            }
            WriteRows(work.Dk, work.Width, count, job.D, job.Dk.At(keyRow + j, kv), job.Dk.Row);
            WriteRows(work.Dv, work.ValueWidth, count, job.Dv, job.DvRows.At(keyRow + j, kv), job.DvRows.Row);
        }
        job.Kernels.Release();
        for (int g = 0; g < group; g++)
        {
            float* dq = job.Dq.At(job.Task.Layout.QueryStart(sequence), (kv * group) + g);
            WriteRows(work.Dq + ((nint)g * work.QueryPanels * Lines * work.Width), work.Width, queries, job.D, dq, job.Dq.Row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackForGradient(ref AttentionJob job, in Bf16GradientWork work, int sequence, int kv, long keyRow)
    {
        int group = job.Heads / job.KvHeads, d = job.D, dv = job.Dv, queries = job.Task.Layout.QueryCount(sequence), keys = job.Task.Layout.KeyCount(sequence);
        for (int g = 0; g < group && queries > 0; g++)
        {
            long row = job.Task.Layout.QueryStart(sequence);
            int head = (kv * group) + g;
            nint before = work.Before(g) * work.Steps, valuesBefore = work.Before(g) * work.ValueSteps;
            Operand q = new(job.Q.At(row, head), job.Q.Row), dy = new(job.Dy.At(row, head), job.Dy.Row);
            Bf16Pack.Panels(q, alongLines: false, pairsFirst: false, 0, queries, d, work.Queries + before);
            Bf16Pack.Panels(q, alongLines: true, pairsFirst: true, 0, d, queries, work.QueriesRight + before);
            Bf16Pack.Panels(dy, alongLines: false, pairsFirst: false, 0, queries, dv, work.Dy + valuesBefore);
            Bf16Pack.Panels(dy, alongLines: true, pairsFirst: true, 0, dv, queries, work.DyRight + valuesBefore);
            for (int i = 0; i < queries; i++)
                work.Totals[(g * queries) + i] = Dot(job.Dy.At(row + i, head), job.Y.At(row + i, head), dv);
        }
        if (keys == 0)
            return;
        Operand k = new(job.K.At(keyRow, kv), job.K.Row), v = new(job.V.At(keyRow, kv), job.V.Row);
        Bf16Pack.Panels(k, alongLines: true, pairsFirst: true, 0, d, keys, work.KeysRight);
        Bf16Pack.Panels(k, alongLines: false, pairsFirst: true, 0, keys, d, work.KeysTurned);
        Bf16Pack.Panels(v, alongLines: false, pairsFirst: true, 0, keys, dv, work.ValuesTurned);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bf16GradientBlock(ref AttentionJob job, in Bf16GradientWork work, in HeadView view, int g, int first, int rows, int j, int count)
    {
        const int Stride = GradientLines, Step = Bf16Pack.StepElements;
        int rowPanels = Bf16Pack.Steps(rows), keyPanels = Bf16Pack.Steps(count), height = rowPanels * Lines, width = keyPanels * Lines;
        nint steps = work.Steps, valueSteps = work.ValueSteps, querySteps = Bf16Pack.Steps(view.Queries), before = work.Before(g);
        nint rowStep = (nint)(first / Lines) * Step, keyStep = (nint)(j / Lines) * Step;
        // S = Q·Kᵀ and dP = dY·Vᵀ, then P and dS in their place; what lies beyond the last row or key is zero.
        PanelRow q = new(work.Queries + ((before + rowStep) * steps), steps * Step, rowPanels), dy = new(work.Dy + ((before + rowStep) * valueSteps), valueSteps * Step, rowPanels);
        Products(job.Kernels, q, new PanelRow(work.KeysTurned + (keyStep * steps), steps * Step, keyPanels), work.P, Stride, work.Steps, load: false);
        Products(job.Kernels, dy, new PanelRow(work.ValuesTurned + (keyStep * valueSteps), valueSteps * Step, keyPanels), work.Ds, Stride, work.ValueSteps, load: false);
        for (int r = 0; r < rows; r++)
            ScoreGradients(ref job, view, first + r, j, count, width, work.P + (r * Stride), work.Ds + (r * Stride), work.Totals[(g * view.Queries) + first + r]);
        new Span<float>(work.P + (rows * Stride), (height - rows) * Stride).Clear();
        new Span<float>(work.Ds + (rows * Stride), (height - rows) * Stride).Clear();
        // dV += Pᵀ·dY, dK += dSᵀ·Q, dQ += dS·K.
        PanelRow turned = new(work.Left, rowPanels * Step, keyPanels);
        Bf16Pack.Panels(new Operand(work.P, Stride), alongLines: true, pairsFirst: false, 0, width, height, work.Left);
        PanelRow dyRight = new(work.DyRight + (before * valueSteps) + rowStep, querySteps * Step, work.ValueSteps);
        Products(job.Kernels, turned, dyRight, work.Dv, work.ValueWidth, rowPanels, load: true);
        Bf16Pack.Panels(new Operand(work.Ds, Stride), alongLines: true, pairsFirst: false, 0, width, height, work.Left);
        PanelRow queriesRight = new(work.QueriesRight + (before * steps) + rowStep, querySteps * Step, work.Steps);
        Products(job.Kernels, turned, queriesRight, work.Dk, work.Width, rowPanels, load: true);
        Bf16Pack.Panels(new Operand(work.Ds, Stride), alongLines: false, pairsFirst: false, 0, height, width, work.Left);
        PanelRow left = new(work.Left, keyPanels * Step, rowPanels), keysRight = new(work.KeysRight + keyStep, (nint)work.KeyPanels * Step, work.Steps);
        Products(job.Kernels, left, keysRight, work.Dq + ((((nint)g * work.QueryPanels * Lines) + first) * work.Width), work.Width, keyPanels, load: true);
    }

    /// <summary>Panels of an operand at equal distances.</summary>
    private readonly record struct PanelRow(nint First, nint Distance, int Count)
    {
        public PanelRow(ushort* first, nint distance, int count)
            : this((nint)first, distance, count)
        {
        }

        public ushort* this[int i] => (ushort*)First + (i * Distance);
    }

    // C = A·B or C += A·B over panels of 32 rows of A and 32 columns of B.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Products(in Bf16Kernels kernels, in PanelRow a, in PanelRow b, float* c, int stride, int steps, bool load)
    {
        for (int m = 0; m < a.Count; m++)
        {
            for (int n = 0; n < b.Count; n++)
                kernels.Multiply(true, a[m], b[n], c + ((nint)m * Lines * stride) + (n * Lines), stride, steps, load);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteRows(float* from, int fromRow, int rows, int columns, float* to, nint toRow)
    {
        for (int r = 0; r < rows; r++)
            new ReadOnlySpan<float>(from + ((nint)r * fromRow), columns).CopyTo(new Span<float>(to + (r * toRow), columns));
    }
}
