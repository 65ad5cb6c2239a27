// The backward pass of attention. Probabilities are computed again, block by block, from the stored log-sum-exps:
//   P = exp(S − lse),  M = dropout's factors,  D = Σ dY·Y,  dV = (P∘M)ᵀ·dY,  dS = P∘(M∘(dY·Vᵀ) − D),  dQ = scale·dS·K,  dK = scale·dSᵀ·Q.
// One item is all of one key/value head of one sequence, so every sum has one order.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    public override void AttentionGradient(in AttentionGradientTask task)
    {
        AttentionJob job = NewAttentionJob(task.Forward);
        job.Gradient = task;
        job.Dy = new HeadRows(task.Dy);
        job.Dq = task.Forward.QueriesOf(task.Dq);
        job.Dk = task.Forward.KeysOf(task.Dk);
        job.DvRows = task.Forward.ValuesOf(task.Dv);
        if (UsesBf16(task.Forward))
            job.Kernels = Bf16Kernels.Of(Isa);
        task.DBias?.Clear();
        if (task.DBias is null)
            Workers.For(task.Forward.Layout.Sequences * job.KvHeads, Unsafe.AsPointer(ref job), &AttentionGradientPiece);
        else
            Workers.For(job.KvHeads, Unsafe.AsPointer(ref job), &SharedBiasGradientPiece);
    }

    // All sequences add to one bias gradient, in turn.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SharedBiasGradientPiece(void* context, int item, int worker)
    {
        ref AttentionJob job = ref Unsafe.AsRef<AttentionJob>(context);
        for (int s = 0; s < job.Task.Layout.Sequences; s++)
            AttentionGradientPiece(context, (s * job.KvHeads) + item, worker);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttentionGradientPiece(void* context, int item, int worker)
    {
        ref AttentionJob job = ref Unsafe.AsRef<AttentionJob>(context);
        if (job.Kernels.AreLoaded)
        {
            Bf16GradientPiece(ref job, item / job.KvHeads, item % job.KvHeads);
            return;
        }
        int sequence = item / job.KvHeads, kv = item % job.KvHeads, group = job.Heads / job.KvHeads;
        AttentionLayout layout = job.Task.Layout;
        int queries = layout.QueryCount(sequence), keys = layout.KeyCount(sequence), keyStart = layout.KeyStart(sequence), d = job.D, dv = job.Dv;
        float* scratch = (float*)Scratch.Get(
            Scratch.Slot.Attention, (nuint)((((d + dv + (2 * QueryBlock)) * KeyBlock) + (queries * group) + 64) * sizeof(float)));
        float* turnedK = scratch, turnedV = turnedK + (d * KeyBlock), p = turnedV + (dv * KeyBlock), ds = p + (QueryBlock * KeyBlock), totals = ds + (QueryBlock * KeyBlock);
        for (int g = 0; g < group; g++)
        {
            for (int i = 0; i < queries; i++)
            {
                long row = (long)layout.QueryStart(sequence) + i;
                int head = (kv * group) + g;
                new Span<float>(job.Dq.At(row, head), d).Clear();
                totals[(g * queries) + i] = Dot(job.Dy.At(row, head), job.Y.At(row, head), dv);
            }
        }
        for (int j = 0; j < keys; j += KeyBlock)
        {
            int count = Math.Min(KeyBlock, keys - j);
            long row = (long)keyStart + j;
            for (int c = 0; c < count; c++)
            {
                new Span<float>(job.Dk.At(row + c, kv), d).Clear();
                new Span<float>(job.DvRows.At(row + c, kv), dv).Clear();
            }
            TransposeBlock(job.K.At(row, kv), job.K.Row, count, d, turnedK, KeyBlock);
            TransposeBlock(job.V.At(row, kv), job.V.Row, count, dv, turnedV, KeyBlock);
            for (int g = 0; g < group; g++)
            {
                HeadView view = new(ref job.Task, sequence, (kv * group) + g);
                for (int i = 0; i < queries; i += QueryBlock)
                {
                    int rows = Math.Min(QueryBlock, queries - i);
                    if (view.Visible(i + rows - 1).End > j && view.Visible(i).First < j + count)
                        GradientBlock(ref job, view, i, rows, j, count, row, turnedK, turnedV, p, ds, totals + (g * queries));
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GradientBlock(
        ref AttentionJob job, in HeadView view, int first, int rows, int j, int count, long keyRow, float* turnedK, float* turnedV, float* p, float* ds, float* totals)
    {
        int d = job.D, dv = job.Dv, head = view.Head, kv = head / (job.Heads / job.KvHeads);
        float* q = job.Q.At(view.Row(first), head), dy = job.Dy.At(view.Row(first), head);
        new Span<float>(p, rows * KeyBlock).Clear();
        new Span<float>(ds, rows * KeyBlock).Clear();
        BlockProduct(rows, count, d, q, job.Q.Row, 1, turnedK, KeyBlock, p, KeyBlock);
        BlockProduct(rows, count, dv, dy, job.Dy.Row, 1, turnedV, KeyBlock, ds, KeyBlock);
        for (int r = 0; r < rows; r++)
            ScoreGradients(ref job, view, first + r, j, count, count, p + (r * KeyBlock), ds + (r * KeyBlock), totals[first + r]);
        BlockProduct(count, dv, rows, p, 1, KeyBlock, dy, job.Dy.Row, job.DvRows.At(keyRow, kv), job.DvRows.Row);
        BlockProduct(count, d, rows, ds, 1, KeyBlock, q, job.Q.Row, job.Dk.At(keyRow, kv), job.Dk.Row);
        BlockProduct(rows, d, count, ds, KeyBlock, 1, job.K.At(keyRow, kv), job.K.Row, job.Dq.At(view.Row(first), head), job.Dq.Row);
    }
}
