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
        if (UsesBf16(task.Forward))
            job.Kernels = Bf16Kernels.Of(Isa);
        task.DBias?.Clear();
        if (task.DBias is null)
            Workers.For(task.Forward.Layout.Sequences * job.KvHeads, Unsafe.AsPointer(ref job), &AttentionGradientPiece);
        else
            Workers.For(job.KvHeads, Unsafe.AsPointer(ref job), &SharedBiasGradientPiece);
    }

    // All sequences add to one bias gradient, in turn.
    private static void SharedBiasGradientPiece(void* context, int item, int worker)
    {
        ref AttentionJob job = ref Unsafe.AsRef<AttentionJob>(context);
        for (int s = 0; s < job.Task.Layout.Sequences; s++)
            AttentionGradientPiece(context, (s * job.KvHeads) + item, worker);
    }

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
                long row = (((long)layout.QueryStart(sequence) + i) * job.Heads) + (kv * group) + g;
                new Span<float>(job.Gradient.Dq.Floats + (row * d), d).Clear();
                totals[(g * queries) + i] = Dot(job.Gradient.Dy.Floats + (row * dv), job.Task.Y.Floats + (row * dv), dv);
            }
        }
        for (int j = 0; j < keys; j += KeyBlock)
        {
            int count = Math.Min(KeyBlock, keys - j);
            long row = ((long)(keyStart + j) * job.KvHeads) + kv;
            for (int c = 0; c < count; c++)
            {
                new Span<float>(job.Gradient.Dk.Floats + ((row + ((long)c * job.KvHeads)) * d), d).Clear();
                new Span<float>(job.Gradient.Dv.Floats + ((row + ((long)c * job.KvHeads)) * dv), dv).Clear();
            }
            TransposeBlock(job.Task.K.Floats + (row * d), job.KvHeads * d, count, d, turnedK, KeyBlock);
            TransposeBlock(job.Task.V.Floats + (row * dv), job.KvHeads * dv, count, dv, turnedV, KeyBlock);
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

    private static void GradientBlock(
        ref AttentionJob job, in HeadView view, int first, int rows, int j, int count, long keyRow, float* turnedK, float* turnedV, float* p, float* ds, float* totals)
    {
        int d = job.D, dv = job.Dv, head = view.Head;
        nint qRow = job.Heads * d, yRow = job.Heads * dv, kRow = job.KvHeads * d, vRow = job.KvHeads * dv;
        long start = (view.Row(first) * job.Heads) + head;
        float* q = job.Task.Q.Floats + (start * d), dy = job.Gradient.Dy.Floats + (start * dv);
        new Span<float>(p, rows * KeyBlock).Clear();
        new Span<float>(ds, rows * KeyBlock).Clear();
        BlockProduct(rows, count, d, q, qRow, 1, turnedK, KeyBlock, p, KeyBlock);
        BlockProduct(rows, count, dv, dy, yRow, 1, turnedV, KeyBlock, ds, KeyBlock);
        for (int r = 0; r < rows; r++)
            ScoreGradients(ref job, view, first + r, j, count, count, p + (r * KeyBlock), ds + (r * KeyBlock), totals[first + r]);
        BlockProduct(count, dv, rows, p, 1, KeyBlock, dy, yRow, job.Gradient.Dv.Floats + (keyRow * dv), vRow);
        BlockProduct(count, d, rows, ds, 1, KeyBlock, q, qRow, job.Gradient.Dk.Floats + (keyRow * d), kRow);
        BlockProduct(rows, d, count, ds, KeyBlock, 1, job.Task.K.Floats + (keyRow * d), kRow, job.Gradient.Dq.Floats + (start * d), qRow);
    }
}
