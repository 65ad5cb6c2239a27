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

        public HeadView(ref readonly AttentionTask task, int sequence, int head)
        {
            Task = ref task;
            Sequence = sequence;
            Head = head;
            Queries = task.Layout.QueryCount(sequence);
            Keys = task.Layout.KeyCount(sequence);
            Slope = task.Slopes is { } slopes ? slopes.Floats[head] : 0;
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
        Heads = task.Q.Shape[1],
        KvHeads = task.K.Shape[-2],
        D = task.Q.Shape[2],
        Dv = task.V.Shape[-1],
        KeysPerBlock = task.Layout.PageSize > 0 ? task.Layout.PageSize : KeyBlock,
        BlocksPerHead = (task.Layout.Longest.Queries + QueryBlock - 1) / QueryBlock,
    };

    // One block of queries of one head: S = Q·Kᵀ, P = exp(S − m), O = P·V over blocks of keys, with m and Σ P brought up to date.
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
        int d = job.D, dv = job.Dv, step = job.KeysPerBlock, kv = head / (job.Heads / job.KvHeads);
        float* scratch = (float*)Scratch.Get(Scratch.Slot.Attention, (nuint)((((d + QueryBlock) * step) + (QueryBlock * (dv + 2)) + 64) * sizeof(float)));
        float* keys = scratch, scores = keys + (d * step), sum = scores + (QueryBlock * step), max = sum + (QueryBlock * dv), total = max + QueryBlock;
        new Span<float>(sum, rows * dv).Clear();
        new Span<float>(max, rows).Fill(float.NegativeInfinity);
        new Span<float>(total, rows).Clear();
        (int from, int end) = (view.Visible(first).First, view.Visible(first + rows - 1).End);
        float* q = job.Task.Q.Floats + (((view.Row(first) * job.Heads) + head) * d);
        for (int j = from / step * step; j < end; j += step)
        {
            int count = Math.Min(step, end - j);
            long row = ((long)job.Task.Layout.KeyRow(view.Sequence, j) * job.KvHeads) + kv;
            TransposeBlock(job.Task.K.Floats + (row * d), job.KvHeads * d, count, d, keys, step);
            new Span<float>(scores, rows * step).Clear();
            BlockProduct(rows, count, d, q, job.Heads * d, 1, keys, step, scores, step);
            for (int r = 0; r < rows; r++)
            {
                FinishScores(view, first + r, j, count, scores + (r * step));
                float rescale = Exponentiate(scores + (r * step), count, ref max[r], ref total[r]);
                if (rescale != 1f)
                    MapRun(new Times(rescale), dv, sum + (r * dv), sum + (r * dv), null, null);
                Drop(view, first + r, j, count, scores + (r * step));
            }
            BlockProduct(rows, dv, count, scores, step, 1, job.Task.V.Floats + (row * dv), job.KvHeads * dv, sum, dv);
        }
        for (int r = 0; r < rows; r++)
            WriteRow(job.Task, view.Row(first + r), head, dv, sum + (r * dv), max[r], total[r]);
    }

    // A few queries over cached keys: every key is read once, its score is a dot product.
    private static void Decode(ref AttentionJob job, in HeadView view)
    {
        int head = view.Head, kv = head / (job.Heads / job.KvHeads), d = job.D, dv = job.Dv, step = job.KeysPerBlock;
        float* scores = (float*)Scratch.Get(Scratch.Slot.Attention, (nuint)((step + dv) * sizeof(float))), sum = scores + step;
        for (int i = 0; i < view.Queries; i++)
        {
            new Span<float>(sum, dv).Clear();
            float max = float.NegativeInfinity, total = 0;
            float* q = job.Task.Q.Floats + (((view.Row(i) * job.Heads) + head) * d);
            (int from, int end) = view.Visible(i);
            for (int j = from / step * step; j < end; j += step)
            {
                int count = Math.Min(step, end - j);
                long row = ((long)job.Task.Layout.KeyRow(view.Sequence, j) * job.KvHeads) + kv;
                float* k = job.Task.K.Floats + (row * d), v = job.Task.V.Floats + (row * dv);
                for (int c = 0; c < count; c++)
                    scores[c] = Dot(q, k + ((long)c * job.KvHeads * d), d);
                FinishScores(view, i, j, count, scores);
                float rescale = Exponentiate(scores, count, ref max, ref total);
                if (rescale != 1f)
                    MapRun(new Times(rescale), dv, sum, sum, null, null);
                Drop(view, i, j, count, scores);
                BlockProduct(1, dv, count, scores, step, 1, v, job.KvHeads * dv, sum, dv);
            }
            WriteRow(job.Task, view.Row(i), head, dv, sum, max, total);
        }
    }

    private static void WriteRow(in AttentionTask task, long row, int head, int dv, float* sum, float max, float total)
    {
        long index = (row * task.Q.Shape[1]) + head;
        // A total of NaN passes through: a broken value must reach the loss.
        float scale = total == 0 ? 0f : 1f / total;
        MapRun(new Times(scale), dv, task.Y.Floats + (index * dv), sum, null, null);
        task.LogSumExp.Floats[index] = total == 0 ? float.NegativeInfinity : max + MathF.Log(total);
    }

    /// <summary>Dropout of probabilities, or of their gradients: by the same factors for the same query and keys.</summary>
    private static void Drop(in HeadView view, int query, int j, int count, float* values)
    {
        if (view.Task.Options.Dropout == 0)
            return;
        Span<float> factors = stackalloc float[KeyBlock];
        long row = (view.Row(query) * view.Task.Q.Shape[1]) + view.Head;
        for (int c = 0; c < count; c += KeyBlock)
        {
            int n = Math.Min(KeyBlock, count - c);
            view.Task.Options.DropoutFactors(row, j + c, factors[..n]);
            fixed (float* f = factors)
                MapRun(default(Product), n, values + c, values + c, f, null);
        }
    }

    /// <summary>Scale, soft cap, position bias, added bias, and −∞ where the query must not look; for keys j … j + count.</summary>
    private static void FinishScores(in HeadView view, int query, int j, int count, float* scores)
    {
        AttentionOptions options = view.Task.Options;
        MapRun(new Times(options.Scale), count, scores, scores, null, null);
        if (options.SoftCap > 0)
        {
            for (int c = 0; c < count; c += T.Width)
            {
                int n = Math.Min(T.Width, count - c);
                T cap = T.Broadcast(options.SoftCap);
                T.StoreTail(scores + c, n, cap * LaneMath<T>.Tanh(T.LoadTail(scores + c, n) / cap));
            }
        }
        if (view.Task.Slopes is not null)
        {
            for (int c = 0; c < count; c++)
                scores[c] += view.Slope * (j + c - (query + view.Keys - view.Queries));
        }
        if (view.Task.Bias is { } bias)
            MapRun(default(Plus), count, scores, scores, bias.Floats + view.Task.BiasStart(view.Head, query, query + view.Keys - view.Queries) + j, null);
        (int first, int end) = view.Visible(query);
        if (first > j)
            new Span<float>(scores, Math.Min(count, first - j)).Fill(float.NegativeInfinity);
        if (end < j + count)
            new Span<float>(scores + Math.Max(0, end - j), count - Math.Max(0, end - j)).Fill(float.NegativeInfinity);
    }

    /// <summary>
    /// Turns scores into exp(score − max) for a running maximum, adds them to the running total, and returns the factor by which
    /// what was summed before must shrink.
    /// </summary>
    private static float Exponentiate(float* scores, int count, ref float max, ref float total)
    {
        float largest = MathF.Max(max, RowMax(scores, count));
        if (float.IsNegativeInfinity(largest))
        {
            new Span<float>(scores, count).Clear();
            return 1f;
        }
        T shift = T.Broadcast(largest), sum = T.Zero;
        int c = 0;
        for (; c <= count - T.Width; c += T.Width)
        {
            T p = LaneMath<T>.Exp(T.Load(scores + c) - shift);
            T.Store(scores + c, p);
            sum += p;
        }
        float added = T.Sum(sum);
        if (c < count)
        {
            T.StoreTail(scores + c, count - c, LaneMath<T>.Exp(T.LoadTail(scores + c, count - c) - shift));
            for (; c < count; c++)
                added += scores[c];
        }
        float rescale = largest == max ? 1f : MathF.Exp(max - largest);
        total = (total * rescale) + added;
        max = largest;
        return rescale;
    }
}
