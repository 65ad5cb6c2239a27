using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Gradus.Peers;

/// <summary>A GPT-2 of nanoGPT's shapes in TorchSharp (libtorch): forward, backward, clipping, AdamW. Its optimizer is a loop in C#.</summary>
internal static class TorchTraining
{
    /// <summary>Prints tokens per second in fp32 and in bf16, each the median step.</summary>
    /// <param name="sizes">Layers, heads, width, context, vocabulary, batch, length, steps, threads.</param>
    public static void Run(int[] sizes)
    {
        set_num_threads(sizes[8]);
        foreach (bool bf16 in new[] { false, true })
            Console.WriteLine($"{(bf16 ? "bf16" : "fp32")} {Measure(sizes, bf16):0}");
    }

    private static double Measure(int[] sizes, bool bf16)
    {
        int batch = sizes[5], length = sizes[6], steps = sizes[7];
        random.manual_seed(1);
        Gpt model = new(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], bf16);
        optim.Optimizer optimizer = optim.AdamW(model.Parameters, lr: 1e-4);
        List<double> seconds = [];
        for (int step = 0; step < steps + 2; step++)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor ids = randint(sizes[4], [batch, length + 1]);
            long start = Stopwatch.GetTimestamp();
            Tensor loss = model.Loss(ids[TensorIndex.Colon, TensorIndex.Slice(0, length)], ids[TensorIndex.Colon, TensorIndex.Slice(1, length + 1)]);
            optimizer.zero_grad();
            loss.backward();
            nn.utils.clip_grad_norm_(model.Parameters, 1.0);
            optimizer.step();
            if (step >= 2)
                seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        seconds.Sort();
        return batch * length / seconds[seconds.Count / 2];
    }

    private sealed class Gpt
    {
        private readonly int _heads;
        private readonly int _width;
        private readonly bool _bf16;
        private readonly TorchSharp.Modules.Parameter _tokens;
        private readonly TorchSharp.Modules.Parameter _positions;
        private readonly TorchSharp.Modules.Parameter _gain;
        private readonly TorchSharp.Modules.Parameter _shift;
        private readonly Block[] _blocks;

        public Gpt(int layers, int heads, int width, int context, int vocabulary, bool bf16)
        {
            (_heads, _width, _bf16) = (heads, width, bf16);
            (_tokens, _positions) = (New(vocabulary, width), New(context, width));
            _blocks = [.. Enumerable.Range(0, layers).Select(_ => new Block(
                Ones(width), New(width), New(3 * width, width), New(3 * width), New(width, width), New(width),
                Ones(width), New(width), New(4 * width, width), New(4 * width), New(width, 4 * width), New(width)))];
            (_gain, _shift) = (Ones(width), New(width));
        }

        public List<TorchSharp.Modules.Parameter> Parameters { get; } = [];

        /// <summary>The mean loss of (B, T) targets behind (B, T) inputs.</summary>
        public Tensor Loss(Tensor inputs, Tensor targets)
        {
            long batch = inputs.shape[0], length = inputs.shape[1];
            Tensor x = _tokens.index_select(0, inputs.reshape(-1)).view(batch, length, _width) + _positions[TensorIndex.Slice(0, length)];
            foreach (Block b in _blocks)
            {
                Tensor[] parts = Linear(layer_norm(x, [_width], b.Gain1, b.Shift1, 1e-5), b.Attention, b.AttentionBias).split(_width, 2);
                Tensor[] heads = [.. parts.Select(p => p.view(batch, length, _heads, _width / _heads).transpose(1, 2))];
                Tensor mixed = scaled_dot_product_attention(heads[0], heads[1], heads[2], is_casual: true).transpose(1, 2).reshape(batch, length, _width);
                x += Linear(mixed, b.Output, b.OutputBias);
                x += Linear(gelu(Linear(layer_norm(x, [_width], b.Gain2, b.Shift2, 1e-5), b.Up, b.UpBias)), b.Down, b.DownBias);
            }
            Tensor logits = Linear(layer_norm(x, [_width], _gain, _shift, 1e-5), _tokens, null);
            return cross_entropy(logits.view(batch * length, -1).to(ScalarType.Float32), targets.reshape(-1));
        }

        private Tensor Linear(Tensor x, Tensor weight, Tensor? bias) => linear(Narrow(x), Narrow(weight), bias is null ? null : Narrow(bias));

        private Tensor Narrow(Tensor t) => _bf16 ? t.to(ScalarType.BFloat16) : t;

        private TorchSharp.Modules.Parameter New(params long[] shape) => Add(randn(shape) * 0.02f);

        private TorchSharp.Modules.Parameter Ones(long width) => Add(ones([width]));

        private TorchSharp.Modules.Parameter Add(Tensor values)
        {
            TorchSharp.Modules.Parameter parameter = new(values, true);
            Parameters.Add(parameter);
            return parameter;
        }
    }

    private sealed record Block(
        Tensor Gain1, Tensor Shift1, Tensor Attention, Tensor AttentionBias, Tensor Output, Tensor OutputBias,
        Tensor Gain2, Tensor Shift2, Tensor Up, Tensor UpBias, Tensor Down, Tensor DownBias);
}
