using System.Text.Json.Nodes;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>Angles of all kinds of rotary scaling, against numbers computed with PyTorch by the formulas of transformers' modeling_rope_utils.</summary>
public sealed class RopeScalingTests
{
    // One head of eight values, base 10000; cosines, then sines, of the four pairs at a position, times the factor of attention.
    [Theory]
    [InlineData(32, 30, null, "0.154251 -0.989992 0.955337 0.99955 -0.988032 0.14112 0.29552 0.029996")]
    [InlineData(64, 40, """{ "type": "linear", "factor": 4.0 }""", "-0.839072 0.540302 0.995004 0.99995 -0.544021 0.841471 0.099833 0.01")]
    [InlineData(32, 30, """{ "rope_type": "dynamic", "factor": 2.0 }""", "0.154251 -0.989992 0.955337 0.99955 -0.988032 0.14112 0.29552 0.029996")]
    [InlineData(32, 40, """{ "rope_type": "dynamic", "factor": 2.0 }""", "-0.666938 -0.999449 0.96842 0.9998 0.745113 -0.033203 0.249326 0.019999")]
    [InlineData(128, 40, """{ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "mscale": 0.8, "mscale_all_dim": 0.5 }""",
        "-0.692877 0.561316 1.033703 1.038841 0.774093 0.874198 0.103716 0.010389")]
    [InlineData(96, 40, """{ "rope_type": "yarn", "original_max_position_embeddings": 32 }""", "-0.740209 0.261081 1.10001 1.109763 0.826972 1.078716 0.147543 0.014798")]
    [InlineData(4096, 40, """{ "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024, "beta_fast": 16, "beta_slow": 2, "truncate": false, "attention_factor": 1.25 }""",
        "-0.833673 -0.817055 1.243755 1.249938 0.931391 -0.946003 0.124792 0.0125")]
    [InlineData(2048, 40, """{ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 256 }""",
        "-0.666938 -0.653644 0.99875 0.999988 0.745113 -0.756802 0.049979 0.005")]
    [InlineData(64, 40, """{ "rope_type": "longrope", "short_factor": [1, 1.1, 1.2, 1.3], "long_factor": [1.5, 2, 3, 4], "original_max_position_embeddings": 32 }""",
        "0.040379 -0.455866 1.085722 1.09539 1.094701 0.996085 0.145627 0.010954")]
    [InlineData(64, 30, """{ "type": "su", "short_factor": [1, 1.1, 1.2, 1.3], "long_factor": [1.5, 2, 3, 4], "original_max_position_embeddings": 32 }""",
        "0.168974 -1.00276 1.06139 1.095153 -1.082334 0.440991 0.271017 0.025277")]
    public void AnglesAreThoseOfTransformers(int trained, int position, string? scaling, string expected)
    {
        JsonObject json = new()
        {
            ["model_type"] = "llama",
            ["hidden_size"] = 8,
            ["num_attention_heads"] = 1,
            ["max_position_embeddings"] = trained,
            ["rope_scaling"] = scaling is null ? null : JsonNode.Parse(scaling),
        };
        LlamaConfig config = Assert.IsType<LlamaConfig>(Architectures.Parse(json, "config.json"));
        using Workspace store = new(ReferenceDevice.Instance);
        RotaryEmbedding rotary = config.Rotary(new Scope(ParameterSource.Random(1), store));
        // Dynamic scaling asks for the length of the text, which is 48 where that is beyond the training's.
        int length = position < 32 ? 32 : 48;
        using Workspace step = store.NewScratch();
        Pass pass = new(new TokenBatch(new int[2], [0, 2], [position, length - 1]), step);
        Tensor turned = rotary.Forward(step.From([1f, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0], new Shape(2, 1, 8)), pass);
        float[] numbers = [.. expected.Split(' ').Select(n => float.Parse(n, System.Globalization.CultureInfo.InvariantCulture))];
        for (int i = 0; i < 8; i++)
            Assert.Equal(numbers[i], turned.Span()[i], 2e-6f);
    }

    [Theory]
    [InlineData("gpt_neox", """{ "hidden_size": 48, "num_attention_heads": 4, "rotary_pct": 0.5 }""")]
    [InlineData("falcon", """{ "hidden_size": 48, "num_attention_heads": 4 }""")]
    [InlineData("llama", """{ "hidden_size": 48, "num_attention_heads": 4 }""")]
    public void DynamicScalingMakesTheContextLonger(string type, string sizes)
    {
        JsonObject json = JsonNode.Parse(sizes)!.AsObject();
        json["model_type"] = type;
        json["max_position_embeddings"] = 64;
        json["rope_scaling"] = new JsonObject { ["type"] = "dynamic", ["factor"] = 2.5 };
        Assert.Equal(160, Architectures.Parse(json, "config.json").ContextLength);
    }

    // As in transformers, keys in the cache keep the frequencies that they were written with, so only the first new token is that of
    // a pass without a cache.
    [Theory]
    [InlineData(20)]
    [InlineData(40)]
    public void ALongPromptIsReadWithTheFrequenciesOfItsLength(int prompt)
    {
        LlamaConfig config = new(TinyModels.Vocabulary, 48, 80, 2, 4, 2, MaxPositionEmbeddings: 24, RopeScaling: new RopeScaling("dynamic", Factor: 3), InitializerRange: 0.3f);
        using DecoderModel model = (DecoderModel)TinyModels.Make(config, TinyModels.Cpu(2));
        int[] tokens = TinyModels.Prompt(prompt, 3);
        using Workspace step = model.Parts.Store.NewScratch();
        float[] logits = model.Logits(new Pass(new TokenBatch(tokens), step)).ToArray();
        int expected = Distribution.Largest(logits.AsSpan((prompt - 1) * TinyModels.Vocabulary));
        using Generator generator = new(model, new GeneratorOptions(PromptPiece: 7));
        GeneratedSequence beside = generator.Add(new GenerationRequest(TinyModels.Prompt(30, 5)) { MaxNewTokens = 20 });
        GeneratedSequence sequence = generator.Add(new GenerationRequest(tokens) { MaxNewTokens = 20 });
        while (generator.Active > 0)
            generator.Step();
        Assert.Equal(expected, sequence.Tokens[prompt]);
        using Generator alone = new(model, new GeneratorOptions(PromptPiece: 5));
        Assert.Equal(alone.Run(new GenerationRequest(tokens) { MaxNewTokens = 20 }).Tokens.ToArray(), sequence.Tokens.ToArray());
        Assert.Equal(50, beside.Tokens.Length);
    }

    [Fact]
    public void TextsBeyondTheFactorAreRefused()
    {
        LlamaConfig config = new(TinyModels.Vocabulary, 48, 80, 1, 4, 2, MaxPositionEmbeddings: 24, RopeScaling: new RopeScaling("dynamic", Factor: 2));
        using DecoderModel model = (DecoderModel)TinyModels.Make(config, ReferenceDevice.Instance);
        using Workspace step = model.Parts.Store.NewScratch();
        Assert.NotEmpty(model.Logits(new Pass(new TokenBatch(TinyModels.Prompt(48, 1)), step)).ToArray());
        Assert.Contains("48", Assert.Throws<ArgumentException>(() => model.Logits(new Pass(new TokenBatch(TinyModels.Prompt(49, 1)), step))).Message, StringComparison.Ordinal);
    }
}
