// Rows of scores inside attention: a step of the running softmax, and its derivative. Scores lie in the kernel's own memory in rows of whole
// registers, so loops have no edges: behind the last visible key there is −∞ first and zero after.

using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

internal sealed unsafe partial class CpuDevice<T>
{
    /// <summary>The distance of rows that have room for a number of scores in whole registers.</summary>
    private static int ScoreRow(int count) => (count + 15) & ~15;

    /// <summary>Dropout's factors of the probabilities of one query and head.</summary>
    private readonly struct ScoreDropout
    {
        private readonly ulong _key;
        private readonly uint _threshold;
        private readonly float _kept;

        public ScoreDropout(in HeadView view, int query)
        {
            AttentionOptions options = view.Task.Options;
            IsOn = options.Dropout > 0;
            if (!IsOn)
                return;
            _key = options.DropoutStream((view.Row(query) * view.Task.Heads) + view.Head);
            _threshold = CounterRandom.Threshold(options.Dropout);
            _kept = options.Kept;
        }

        public bool IsOn { get; }

        /// <summary>Zero or 1/(1 − p) for the keys from a number on.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public T Factors(int key)
        {
            T bits = T.Width == 1 || (key & 1) == 0 ? T.RandomHalves(_key, key) : OddHalves(key);
            return T.Select(T.LessBits(bits, T.BroadcastBits((int)_threshold)), T.Zero, T.Broadcast(_kept));
        }

        // Blocks of keys begin at an odd one only in a cache whose pages hold an odd number of tokens.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private T OddHalves(int key)
        {
            float* halves = stackalloc float[16];
            for (int i = 0; i < T.Width; i++)
                Lanes1.Store(halves + i, Lanes1.RandomHalves(_key, key + i));
            return T.Load(halves);
        }
    }

    /// <summary>
    /// Turns the raw scores q·k of one query into exp(score − max) for a running maximum, adds them to the running total, drops some of them, and
    /// returns the factor by which what was summed before must shrink.
    /// </summary>
    /// <param name="view">Sequence and head.</param>
    /// <param name="query">The query.</param>
    /// <param name="j">The first key.</param>
    /// <param name="count">The number of keys.</param>
    /// <param name="room">The scores that somebody will read, <paramref name="count"/> or more; zero where no key is seen.</param>
    /// <param name="scores">Room for <see cref="ScoreRow"/> of <paramref name="room"/>.</param>
    /// <param name="max">The running maximum.</param>
    /// <param name="total">The running total.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SoftmaxStep(in HeadView view, int query, int j, int count, int room, float* scores, ref float max, ref float total)
    {
        int end = VisibleScores(view, query, j, count, scores, out float scale);
        if (end < room)
            new Span<float>(scores + end, room - end).Clear();
        T factor = T.Broadcast(scale), most = T.Broadcast(float.NegativeInfinity), sum = T.Zero;
        for (int c = 0; c < end; c += T.Width)
            most = T.Max(most, T.Load(scores + c) * factor);
        float largest = MathF.Max(max, T.LargestLane(most));
        if (float.IsNegativeInfinity(largest))
        {
            new Span<float>(scores, end).Clear();
            return 1f;
        }
        T shift = T.Broadcast(-largest);
        ScoreDropout dropout = new(view, query);
        for (int c = 0; c < end; c += T.Width)
        {
            T p = LaneMath<T>.Exp(T.Fma(T.Load(scores + c), factor, shift));
            sum += p;
            T.Store(scores + c, dropout.IsOn ? p * dropout.Factors(j + c) : p);
        }
        float rescale = largest == max ? 1f : MathF.Exp(max - largest);
        total = (total * rescale) + T.Sum(sum);
        max = largest;
        return rescale;
    }

    /// <summary>
    /// Of a query, from raw scores q·k and dP: in their place the probabilities after dropout, P∘M = exp(S − lse)∘M, and the gradient of the raw
    /// scores, scale·P∘(M∘dP − D).
    /// </summary>
    /// <param name="job">The work, whose bias gets a gradient if there is one.</param>
    /// <param name="view">Sequence and head.</param>
    /// <param name="query">The query.</param>
    /// <param name="j">The first key, even.</param>
    /// <param name="count">The number of keys.</param>
    /// <param name="room">The values that somebody will read, <paramref name="count"/> or more; zero where no key is seen.</param>
    /// <param name="p">The scores, with room for <see cref="ScoreRow"/> of <paramref name="room"/>.</param>
    /// <param name="dp">dP, with as much room.</param>
    /// <param name="total">D = Σ dY·Y of the query.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScoreGradients(ref AttentionJob job, in HeadView view, int query, int j, int count, int room, float* p, float* dp, float total)
    {
        float lse = job.Task.LogSumExp.Floats[(view.Row(query) * job.Heads) + view.Head];
        AttentionOptions options = job.Task.Options;
        float* slopes = stackalloc float[options.SoftCap > 0 ? count : 0];
        if (options.SoftCap > 0)
            CapSlopes(options, count, p, slopes);
        float scale = 1f;
        int end = float.IsNegativeInfinity(lse) ? 0 : VisibleScores(view, query, j, count, p, out scale);
        if (end < room)
        {
            new Span<float>(p + end, room - end).Clear();
            new Span<float>(dp + end, room - end).Clear();
        }
        float* dBias = job.Gradient.DBias is { } bias ? bias.Floats + job.Task.BiasStart(view.Head, query, query + view.Keys - view.Queries) + j : null;
        T factor = T.Broadcast(scale), shift = T.Broadcast(-lse), mean = T.Broadcast(total), outer = T.Broadcast(options.Scale);
        ScoreDropout dropout = new(view, query);
        for (int c = 0; c < end; c += T.Width)
        {
            T probability = LaneMath<T>.Exp(T.Fma(T.Load(p + c), factor, shift)), dropped = probability, gradient = T.Load(dp + c);
            if (dropout.IsOn)
            {
                T factors = dropout.Factors(j + c);
                dropped = probability * factors;
                gradient *= factors;
            }
            gradient = probability * (gradient - mean);
            T.Store(p + c, dropped);
            T.Store(dp + c, gradient * outer);
            if (dBias != null)
                T.StoreTail(dBias + c, Math.Min(T.Width, count - c), T.LoadTail(dBias + c, Math.Min(T.Width, count - c)) + gradient);
        }
        if (options.SoftCap > 0)
            MapRun(default(Product), Math.Min(count, end), dp, dp, slopes, null);
    }

    /// <summary>The derivative of cap · tanh(score/cap) at the scaled scores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CapSlopes(AttentionOptions options, int count, float* scores, float* slopes)
    {
        T factor = T.Broadcast(options.Scale / options.SoftCap), one = T.Broadcast(1f);
        for (int c = 0; c < count; c += T.Width)
        {
            int n = Math.Min(T.Width, count - c);
            T t = LaneMath<T>.Tanh(T.LoadTail(scores + c, n) * factor);
            T.StoreTail(slopes + c, n, one - (t * t));
        }
    }

    /// <summary>
    /// Brings raw scores so far that exp(scale·score − max) may be taken of whole registers: those of keys that the query does not see are −∞.
    /// </summary>
    /// <param name="view">Sequence and head.</param>
    /// <param name="query">The query.</param>
    /// <param name="j">The first key.</param>
    /// <param name="count">The number of keys.</param>
    /// <param name="scores">Room for <see cref="ScoreRow"/> of <paramref name="count"/>.</param>
    /// <param name="scale">The positive factor that is still to be multiplied with.</param>
    /// <returns>Scores, in whole registers, that are set; all keys behind them are hidden.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int VisibleScores(in HeadView view, int query, int j, int count, float* scores, out float scale)
    {
        (int first, int last) = view.Visible(query);
        int seen = count;
        scale = 1f;
        if (view.IsPlain && first <= j)
        {
            seen = Math.Clamp(last - j, 0, count);
            scale = view.Task.Options.Scale;
        }
        else
        {
            FinishScores(view, query, j, count, scores);
        }
        int end = (seen + T.Width - 1) / T.Width * T.Width;
        T.StoreTail(scores + seen, end - seen, T.Broadcast(float.NegativeInfinity));
        return end;
    }

    /// <summary>Scale, soft cap, position bias, added bias, and −∞ where the query must not look; for keys j … j + count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
}
