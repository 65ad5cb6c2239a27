using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>
/// Llama (Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023; Grattafiori et al., "The Llama 3 Herd of
/// Models", 2024): pre-norm blocks with RMS norm, rotary positions, grouped-query attention and a SwiGLU feed-forward layer. Tensor
/// names of Hugging Face's LlamaForCausalLM. This is the file to read first: its descendants are put together from the same layers,
/// which lie in <see cref="Nn"/>.
/// </summary>
/// <param name="VocabSize">Token ids V; 0 in a recipe lets the tokenizer decide.</param>
/// <param name="HiddenSize">Width C.</param>
/// <param name="IntermediateSize">Width of the feed-forward layer.</param>
/// <param name="NumHiddenLayers">Blocks.</param>
/// <param name="NumAttentionHeads">Query heads H.</param>
/// <param name="NumKeyValueHeads">Key/value heads Hkv, dividing H; H where null.</param>
/// <param name="HeadDim">Values per head D; C/H where null.</param>
/// <param name="HiddenAct">Activation of the feed-forward gate.</param>
/// <param name="MaxPositionEmbeddings">Longest sequence, in tokens.</param>
/// <param name="RmsNormEps">ε of the norms.</param>
/// <param name="RopeTheta">Base of the rotary frequencies.</param>
/// <param name="RopeScaling">Change of the rotary frequencies for long contexts, or null.</param>
/// <param name="AttentionBias">Whether the attention projections have biases.</param>
/// <param name="MlpBias">Whether the feed-forward projections have biases.</param>
/// <param name="TieWordEmbeddings">Whether the head uses the token table.</param>
/// <param name="InitializerRange">Standard deviation of new weights.</param>
/// <param name="BosTokenId">Token that begins a text.</param>
/// <param name="EosTokenId">Token that ends a text, or several.</param>
public sealed record LlamaConfig(
    int VocabSize = 32000,
    int HiddenSize = 4096,
    int IntermediateSize = 11008,
    int NumHiddenLayers = 32,
    int NumAttentionHeads = 32,
    int? NumKeyValueHeads = null,
    int? HeadDim = null,
    string HiddenAct = "silu",
    int MaxPositionEmbeddings = 2048,
    float RmsNormEps = 1e-6f,
    double RopeTheta = 10000,
    RopeScaling? RopeScaling = null,
    bool AttentionBias = false,
    bool MlpBias = false,
    bool TieWordEmbeddings = false,
    float InitializerRange = 0.02f,
    int? BosTokenId = null,
    TokenIds? EosTokenId = null) : RotaryDecoderConfig
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override string ArchitectureClass => "LlamaForCausalLM";

    internal override (string Property, string Name) ActivationChoice => (nameof(HiddenAct), HiddenAct);

    /// <inheritdoc/>
    [JsonIgnore]
    public override UsualTargets UsualTargets => new(["q_proj", "v_proj"], ["k_proj", "v_proj", "down_proj"])
    {
        Residuals =
        [
            new ResidualSite("self_attn.o_proj", "attention_adapters", BlockPart.Attention),
            new ResidualSite("mlp.down_proj", "output_adapters", BlockPart.FeedForward),
        ],
    };

    internal override LanguageModel Build(Scope scope) => new Llama(this, scope);
}

/// <inheritdoc cref="LlamaConfig"/>
public sealed class Llama : DecoderModel
{
    /// <summary>Builds the model from the parameters of a scope: head(norm(blocks(tokens))).</summary>
    public Llama(LlamaConfig config, Scope scope)
        : base(config, scope, config.KeyValueHeads, config.HeadWidth)
    {
        Scope body = scope["model"];
        RotaryEmbedding rotary = Rotary = config.Rotary(scope);
        Tokens = body.Embedding("embed_tokens", config.VocabSize, config.HiddenSize, config.Init, config.PadTokenId);
        Blocks = Repeat(config.NumHiddenLayers, body["layers"], (i, layer) => new Block(config, i, rotary, layer));
        Norm = body.RmsNorm("norm", config.HiddenSize, config.RmsNormEps);
        Head = MakeHead(scope, "lm_head", config.HiddenSize, config.Init);
    }

    // x + attention(norm(x)), then x + mlp(norm(x)).
    private sealed class Block(LlamaConfig config, int layer, RotaryEmbedding rotary, Scope scope) : IBlock
    {
        private readonly Attention _attention = new(config, layer, rotary, scope["self_attn"]);
        private readonly Mlp _mlp = new(config, scope["mlp"]);
        private readonly RmsNorm _attentionNorm = scope.RmsNorm("input_layernorm", config.HiddenSize, config.RmsNormEps);
        private readonly RmsNorm _mlpNorm = scope.RmsNorm("post_attention_layernorm", config.HiddenSize, config.RmsNormEps);

        public Tensor Forward(Tensor x, Pass pass)
        {
            x = _attention.AddTo(x, _attentionNorm.Forward(x), pass);
            return _mlp.AddTo(x, _mlpNorm.Forward(x), pass);
        }
    }

    // softmax(rotate(q)·rotate(k)ᵀ/√D)·v of every head, where H/Hkv query heads share a key/value head.
    private sealed class Attention(LlamaConfig config, int layer, RotaryEmbedding rotary, Scope scope)
    {
        private readonly int _heads = config.NumAttentionHeads, _keyValueHeads = config.KeyValueHeads, _width = config.HeadWidth;
        private readonly AttentionOptions _options = new(1f / MathF.Sqrt(config.HeadWidth), Causal: true);
        private readonly Linear _query = Project(scope, "q_proj", config.NumAttentionHeads, config);
        private readonly Linear _key = Project(scope, "k_proj", config.KeyValueHeads, config);
        private readonly Linear _value = Project(scope, "v_proj", config.KeyValueHeads, config);
        private readonly Linear _output = scope.Linear("o_proj", config.NumAttentionHeads * config.HeadWidth, config.HiddenSize, config.AttentionBias, config.Init);

        public Tensor AddTo(Tensor residual, Tensor x, Pass pass)
        {
            int n = x.Shape[0];
            Tensor q = _query.Forward(x, pass).Reshape(n, _heads, _width);          // (N, H, D)
            Tensor k = _key.Forward(x, pass).Reshape(n, _keyValueHeads, _width);    // (N, Hkv, D)
            Tensor v = _value.Forward(x, pass).Reshape(n, _keyValueHeads, _width);
            q = rotary.Forward(q, pass);
            k = rotary.Forward(k, pass);
            Tensor y = pass.Attend(layer, q, k, v, _options, dropout: config.AttentionDropout);
            return _output.AddTo(residual, y, pass);
        }

        private static Linear Project(Scope scope, string name, int heads, LlamaConfig config) =>
            scope.Linear(name, config.HiddenSize, heads * config.HeadWidth, config.AttentionBias, config.Init);
    }

    // down(f(gate(x)) · up(x)).
    private sealed class Mlp(LlamaConfig config, Scope scope)
    {
        private readonly Activation _activation = config.Activation;
        private readonly Linear _gate = scope.Linear("gate_proj", config.HiddenSize, config.IntermediateSize, config.MlpBias, config.Init);
        private readonly Linear _up = scope.Linear("up_proj", config.HiddenSize, config.IntermediateSize, config.MlpBias, config.Init);
        private readonly Linear _down = scope.Linear("down_proj", config.IntermediateSize, config.HiddenSize, config.MlpBias, config.Init);

        public Tensor AddTo(Tensor residual, Tensor x, Pass pass) =>
            _down.AddTo(residual, _gate.Forward(x, pass).Gate(_activation, _up.Forward(x, pass)), pass);
    }
}
