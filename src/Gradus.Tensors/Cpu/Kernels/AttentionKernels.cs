// Attention in blocks of queries and keys with a running softmax (Dao et al., "FlashAttention", 2022; Milakov and Gimelshein,
// "Online normalizer calculation for softmax", 2018): memory does not grow with the product of the lengths. Blocks are counted from
// the beginning of each sequence, so a sequence has the same bits alone and in a batch.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    private const int QueryBlock = 64;
    private const int KeyBlock = 64;

    /// <summary>The most queries of a sequence for which scores are dot products. The sequence's own length decides, not the batch's longest.</summary>
    private const int DecodeQueries = 4;

    private struct AttentionJob
    {
        public AttentionTask Task;
        public AttentionGradientTask Gradient;
        public int Heads;
        public int KvHeads;
        public HeadRows Q;
        public HeadRows K;
        public HeadRows V;
        public HeadRows Y;
        public HeadRows Dy;
        public HeadRows Dq;
        public HeadRows Dk;
        public HeadRows DvRows;
        public int D;
        public int Dv;
        public int KeysPerBlock;
        public int BlocksPerHead;
        public Bf16Kernels Kernels;
        public ushort* KeyPanels;
        public ushort* ValuePanels;
    }

    /// <summary>The part of one sequence and head that a kernel works on.</summary>
    private readonly ref struct HeadView
    {
        public readonly ref readonly AttentionTask Task;
        public readonly int Sequence;
        public readonly int Head;
        public readonly int Queries;
        public readonly int Keys;
        public readonly float Slope;

        /// <summary>Whether scores are q·k times a positive scale, and nothing else.</summary>
        public readonly bool IsPlain;

        public HeadView(ref readonly AttentionTask task, int sequence, int head)
        {
            Task = ref task;
            Sequence = sequence;
            Head = head;
            Queries = task.Layout.QueryCount(sequence);
            Keys = task.Layout.KeyCount(sequence);
            Slope = task.Slopes is { } slopes ? slopes.Floats[head] : 0;
            IsPlain = task.Slopes is null && task.Bias is null && task.Options is { SoftCap: 0, Scale: > 0 };
        }

        public long Row(int query) => Task.Layout.QueryStart(Sequence) + query;

        public (int First, int End) Visible(int query) => Task.Options.Visible(query, Queries, Keys);
    }

    public override void Attention(in AttentionTask task)
    {
        AttentionJob job = NewAttentionJob(task);
        if (UsesBf16(task))
        {
            Bf16Attention(ref job);
            return;
        }
        Workers.For(task.Layout.Sequences * job.Heads * job.BlocksPerHead, Unsafe.AsPointer(ref job), &AttentionPiece);
    }

    private static AttentionJob NewAttentionJob(in AttentionTask task) => new()
    {
        Task = task,
        Heads = task.Heads,
        KvHeads = task.KeyValueHeads,
        D = task.Width,
        Dv = task.ValueWidth,
        Q = task.QueriesOf(task.Q),
        K = task.KeysOf(task.K),
        V = task.ValuesOf(task.V),
        Y = new HeadRows(task.Y),
        KeysPerBlock = task.Layout.PageSize > 0 ? task.Layout.PageSize : KeyBlock,
        BlocksPerHead = (task.Layout.Longest.Queries + QueryBlock - 1) / QueryBlock,
    };

    // One block of queries of one head: S = Q·Kᵀ, P = exp(S − m), O = P·V over blocks of keys, with m and Σ P brought up to date.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttentionPiece(void* context, int item, int worker)
    {
        ref AttentionJob job = ref Unsafe.AsRef<AttentionJob>(context);
        int block = item % job.BlocksPerHead, head = item / job.BlocksPerHead % job.Heads;
        HeadView view = new(ref job.Task, item / job.BlocksPerHead / job.Heads, head);
        int first = block * QueryBlock, rows = Math.Min(QueryBlock, view.Queries - first);
        if (rows <= 0)
            return;
        if (view.Queries <= DecodeQueries)
        {
            Decode(ref job, view);
            return;
        }
        int d = job.D, dv = job.Dv, step = job.KeysPerBlock, row = ScoreRow(step), kv = head / (job.Heads / job.KvHeads);
        float* scratch = (float*)Scratch.Get(Scratch.Slot.Attention, (nuint)(((d * step) + (QueryBlock * (row + dv + 2)) + 64) * sizeof(float)));
        float* keys = scratch, scores = keys + (d * step), sum = scores + (QueryBlock * row), max = sum + (QueryBlock * dv), total = max + QueryBlock;
        new Span<float>(sum, rows * dv).Clear();
        new Span<float>(max, rows).Fill(float.NegativeInfinity);
        new Span<float>(total, rows).Clear();
        (int from, int end) = (view.Visible(first).First, view.Visible(first + rows - 1).End);
        float* q = job.Q.At(view.Row(first), head);
        for (int j = from / step * step; j < end; j += step)
        {
            int count = Math.Min(step, end - j);
            long keyRow = job.Task.Layout.KeyRow(view.Sequence, j);
            TransposeBlock(job.K.At(keyRow, kv), job.K.Row, count, d, keys, step);
            new Span<float>(scores, rows * row).Clear();
            BlockProduct(rows, count, d, q, job.Q.Row, 1, keys, step, scores, row);
            for (int r = 0; r < rows; r++)
            {
                float rescale = SoftmaxStep(view, first + r, j, count, count, scores + (r * row), ref max[r], ref total[r]);
                if (rescale != 1f)
                    MapRun(new Times(rescale), dv, sum + (r * dv), sum + (r * dv), null, null);
            }
            BlockProduct(rows, dv, count, scores, row, 1, job.V.At(keyRow, kv), job.V.Row, sum, dv);
        }
        for (int r = 0; r < rows; r++)
            WriteRow(ref job, view.Row(first + r), head, sum + (r * dv), max[r], total[r]);
    }

    // A few queries over cached keys: every key is read once, its score is a dot product.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Decode(ref AttentionJob job, in HeadView view)
    {
        int head = view.Head, kv = head / (job.Heads / job.KvHeads), d = job.D, dv = job.Dv, step = job.KeysPerBlock;
        float* scores = (float*)Scratch.Get(Scratch.Slot.Attention, (nuint)((ScoreRow(step) + dv) * sizeof(float))), sum = scores + ScoreRow(step);
        for (int i = 0; i < view.Queries; i++)
        {
            new Span<float>(sum, dv).Clear();
            float max = float.NegativeInfinity, total = 0;
            float* q = job.Q.At(view.Row(i), head);
            (int from, int end) = view.Visible(i);
            for (int j = from / step * step; j < end; j += step)
            {
                int count = Math.Min(step, end - j);
                long row = job.Task.Layout.KeyRow(view.Sequence, j);
                float* k = job.K.At(row, kv), v = job.V.At(row, kv);
                for (int c = 0; c < count; c++)
                    scores[c] = Dot(q, k + (c * job.K.Row), d);
                float rescale = SoftmaxStep(view, i, j, count, count, scores, ref max, ref total);
                if (rescale != 1f)
                    MapRun(new Times(rescale), dv, sum, sum, null, null);
                BlockProduct(1, dv, count, scores, step, 1, v, job.V.Row, sum, dv);
            }
            WriteRow(ref job, view.Row(i), head, sum, max, total);
        }
    }

    private static void WriteRow(ref AttentionJob job, long row, int head, float* sum, float max, float total)
    {
        // A total of NaN passes through: a broken value must reach the loss.
        float scale = total == 0 ? 0f : 1f / total;
        MapRun(new Times(scale), job.Dv, job.Y.At(row, head), sum, null, null);
        job.Task.LogSumExp.Floats[(row * job.Heads) + head] = total == 0 ? float.NegativeInfinity : max + MathF.Log(total);
    }
}
