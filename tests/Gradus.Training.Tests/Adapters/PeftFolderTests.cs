using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;

namespace Gradus.Training.Tests.Adapters;

/// <summary>Files of adapters that are damaged, or belong to something else.</summary>
public sealed class PeftFolderTests : IDisposable
{
    private const string Types = "ADALORA, BOTTLENECK, IA3, LN_TUNING, LOHA, LOKR, LORA, MISS, MULTITASK_PROMPT_TUNING, OFT, PREFIX_TUNING, PROMPT_TUNING, P_TUNING, TRAINABLE_TOKENS, VERA";

    private readonly AdapterFixture _fixture = new();

    [Theory]
    [InlineData("""{"peft_type": "LORA"}""", 8, "true")]
    [InlineData("""{"peft_type": "LORA", "r": 3, "rank_pattern": null, "alpha_pattern": {}, "loftq_config": {}, "megatron_core": "megatron.core", "qalora_group_size": 16, "lora_bias": false, "eva_config": null, "peft_version": "0.18.0", "auto_mapping": {"base_model_class": "X"}}""", 3, "true")]
    [InlineData("""{"r": 2, "init_lora_weights": "gaussian", "layers_to_transform": 1, "target_modules": ["q_proj"], "peft_type": "LORA"}""", 2, "gaussian")]
    [InlineData("""{"peft_type": "LORA", "init_lora_weights": false, "target_modules": "all-linear", "lora_alpha": 16, "bias": "lora_only", "task_type": null}""", 8, "false")]
    public void ReadsWhatPeftWrites(string json, int rank, string init)
    {
        LoraConfig config = Assert.IsType<LoraConfig>(Parse(json));
        Assert.Equal(rank, config.R);
        Assert.Equal(init, (config.InitLoraWeights ?? LoraInit.Default).Name);
        Assert.Equal(config.ToJson().ToJsonString(), PeftConfig.Parse(config.ToJson(), "again").ToJson().ToJsonString());
    }

    [Theory]
    [InlineData("""{}""", "a.json: peft_type is missing; supported are " + Types + ".")]
    [InlineData("""{"peft_type": "BOFT"}""", "a.json: peft_type \"BOFT\" is not supported; supported are " + Types + ".")]
    [InlineData("""{"peft_type": "LORA", "use_qalora": true}""", "a.json: use_qalora: true is not supported here; only adapters without use_qalora can be used.")]
    [InlineData("""{"peft_type": "LORA", "layer_replication": [[0, 4]]}""", "a.json: layer_replication: [[0,4]] is not supported here; only adapters without layer_replication can be used.")]
    [InlineData("""{"peft_type": "LORA", "r": "8"}""", "a.json: r has a wrong value: ")]
    [InlineData("""{"peft_type": "LORA", "r": 0}""", "a.json: r: must be at least 1, but is 0.")]
    [InlineData("""{"peft_type": "LORA", "lora_dropout": 1.0}""", "a.json: lora_dropout: must lie in [0, 1), but is 1.")]
    [InlineData("""{"peft_type": "LORA", "init_lora_weights": "corda"}""", "a.json: init_lora_weights has a wrong value: \"corda\" is not supported; expected true, false, \"gaussian\", \"orthogonal\", \"eva\", \"pissa\", \"olora\" or \"loftq\"")]
    [InlineData("""{"peft_type": "LORA", "bias": "some"}""", "a.json: bias has a wrong value: ")]
    [InlineData("""{"peft_type": "LORA", "target_modules": {"a": 1}}""", "a.json: target_modules has a wrong value: expected a string or a list of strings")]
    [InlineData("""{"peft_type": "LORA", "target_modules": ["a", 1]}""", "a.json: target_modules has a wrong value: expected a list of strings")]
    [InlineData("""{"peft_type": "LORA", "target_modules": ".*q", "layers_to_transform": [1]}""", "a.json: layers_to_transform: works with a list of target_modules only, not with a regular expression.")]
    [InlineData("""{"peft_type": "LORA", "layers_pattern": "h"}""", "a.json: layers_pattern: needs layers_to_transform beside it.")]
    [InlineData("""{"peft_type": "LORA", "rank_pattern": {"q_proj": 0}}""", "a.json: rank_pattern.q_proj: must be at least 1, but is 0.")]
    public void RefusesWhatItCannotDo(string json, string message)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Parse(json));
        Assert.StartsWith(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void NamesFieldsAsPeftDoes()
    {
        string folder = _fixture.SavedLora(new LoraConfig(R: 4, BaseModelNameOrPath: "base"));
        JsonObject json = Checkpoint.ReadObject(Path.Combine(folder, PeftFolder.ConfigFile));
        Assert.Equal(
            [
                "alpha_pattern", "base_model_name_or_path", "bias", "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights", "layers_pattern",
                "layers_to_transform", "loftq_config", "lora_alpha", "lora_dropout", "modules_to_save", "peft_type", "r", "rank_pattern", "target_modules", "task_type", "trainable_token_indices", "use_dora", "use_rslora",
            ],
            json.Select(p => p.Key).Order(StringComparer.Ordinal));
        Assert.Equal("LORA", (string)json["peft_type"]!);
        Assert.True((bool)json["inference_mode"]!);
        Assert.Equal("""["q_proj","v_proj"]""", json["target_modules"]!.ToJsonString());
        Assert.Equal("{}", json["rank_pattern"]!.ToJsonString());
        using TensorFile file = TensorFile.Open(Path.Combine(folder, PeftFolder.WeightsFile));
        Assert.Contains("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", file.Entries.Select(e => e.Name));
    }

    [Fact]
    public void AnAdapterOfAnotherBaseIsRefused()
    {
        string folder = _fixture.SavedLora();
        using LanguageModel wider = Checkpoint.Create(AdapterFixture.LlamaConfig with { HiddenSize = 32 }, 1, ReferenceDevice.Instance);
        AssertRefused(folder, wider, "tensor \"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight\" has the shape (4, 16), but the base model and adapter_config.json make it (4, 32)");
        using LanguageModel deeper = Checkpoint.Create(AdapterFixture.LlamaConfig with { NumHiddenLayers = 3 }, 1, ReferenceDevice.Instance);
        AssertRefused(folder, deeper, "tensor \"base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight\" is missing");
        using LanguageModel flatter = Checkpoint.Create(AdapterFixture.LlamaConfig with { NumHiddenLayers = 1 }, 1, ReferenceDevice.Instance);
        AssertRefused(folder, flatter, "4 tensors have no place in this model: base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight, ");
        using LanguageModel other = AdapterFixture.Gpt2();
        AssertRefused(folder, other, "target_modules: \"q_proj, v_proj\" names no layer of the model; its linear layers are c_attn, c_proj, c_fc, lm_head.");
    }

    [Fact]
    public void AWrongRankIsRefused()
    {
        string folder = _fixture.SavedLora();
        Rewrite(folder, "\"r\": 4", "\"r\": 8");
        using LanguageModel model = AdapterFixture.Llama();
        AssertRefused(folder, model, "has the shape (4, 16), but the base model and adapter_config.json make it (8, 16); it belongs to another base model, or the rank is wrong.");
    }

    [Theory]
    [InlineData("q_proj(", "target_modules: not a regular expression: ")]
    [InlineData("(.*.*)*=", "target_modules: the regular expression takes more than 1 s on ")]
    public void ABadExpressionIsRefused(string pattern, string message)
    {
        using LanguageModel model = AdapterFixture.Llama();
        LoraConfig config = new(TargetModules: new ModuleNames([pattern], IsPattern: true));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => ModelAdapter.Attach(model, config, 1));
        Assert.StartsWith(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingAndBrokenFilesAreNamed()
    {
        using LanguageModel model = AdapterFixture.Llama();
        string folder = _fixture.SavedLora();
        string weights = Path.Combine(folder, PeftFolder.WeightsFile);
        byte[] whole = File.ReadAllBytes(weights);
        foreach (int length in new[] { 0, 7, 100, whole.Length / 2, whole.Length - 1 })
        {
            File.WriteAllBytes(weights, whole[..length]);
            AssertRefused(folder, model, PeftFolder.WeightsFile);
        }
        File.Delete(weights);
        AssertRefused(folder, model, $"{PeftFolder.WeightsFile}: no such file");
        File.Delete(Path.Combine(folder, PeftFolder.ConfigFile));
        AssertRefused(folder, model, $"{PeftFolder.ConfigFile}: no such file");
        Assert.False(PeftFolder.IsAdapter(folder));
    }

    [Fact]
    public void ASecondAdapterIsRefused()
    {
        using LanguageModel model = AdapterFixture.Llama();
        using ModelAdapter first = ModelAdapter.Attach(model, new LoraConfig(), 1);
        Assert.Throws<InvalidOperationException>(() => ModelAdapter.Attach(model, new LoraConfig(), 2));
        first.Detach();
        ModelAdapter.Attach(model, new LoraConfig(), 2).Dispose();
    }

    [Fact]
    public void UnknownModulesToSaveAreRefused()
    {
        using LanguageModel model = AdapterFixture.Llama();
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => ModelAdapter.Attach(model, new LoraConfig(ModulesToSave: ["score"]), 1));
        Assert.Equal("modules_to_save: the model has no module score.", e.Message);
    }

    [Fact]
    public void DoraOnAnEmbeddingIsRefused()
    {
        using LanguageModel model = AdapterFixture.Llama();
        LoraConfig config = new(UseDora: true, TargetModules: ModuleNames.Of("embed_tokens"));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => ModelAdapter.Attach(model, config, 1));
        Assert.Equal("use_dora: does not work on the embedding model.embed_tokens; take it out of target_modules.", e.Message);
    }

    public void Dispose() => _fixture.Dispose();

    private static PeftConfig Parse(string json) => PeftConfig.Parse(JsonNode.Parse(json)!.AsObject(), "a.json");

    private static void Rewrite(string folder, string from, string to)
    {
        string path = Path.Combine(folder, PeftFolder.ConfigFile), text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
    }

    // One line that names the file; the model is left as it was.
    private static void AssertRefused(string folder, LanguageModel model, string message)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => PeftFolder.Load(folder, model));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.StartsWith(folder, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.All(model.Parts.Linears, l => Assert.Null(l.Adapter));
    }
}
