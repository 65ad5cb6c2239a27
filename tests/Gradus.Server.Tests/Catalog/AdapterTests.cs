using System.Net;
using System.Text.Json;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Files;
using Gradus.Server.Catalog;
using Gradus.Tensors;

namespace Gradus.Server.Tests.Catalog;

/// <summary>Adapters as names of models: side by side in one batch, coming and going, without touching the neighbours' bits.</summary>
public sealed class AdapterTests : IAsyncLifetime
{
    private const string Chat = "/v1/chat/completions";
    private readonly string _folder = Directory.CreateTempSubdirectory("gradus-adapters-").FullName;
    private RunningServer _server = null!;

    private string Base => Path.Combine(_folder, "base");

    public async Task InitializeAsync()
    {
        using (ModelBundle bundle = TinyModels.ChatBundle())
        using (AtomicFolder folder = AtomicFolder.Begin(Base))
        {
            Checkpoint.Write(folder, bundle.Model);
            bundle.Tokenizer.Save(folder.TemporaryPath);
            folder.Commit();
        }
        foreach ((string name, float value) in new[] { ("one", 0.1f), ("two", 0.2f), ("late", 0.05f) })
            Write(name, value);
        _server = await RunningServer.Start(
            new ServerOptions { AdapterFolder = _folder },
            new ModelSource("base", _ => new ServedModel(ModelBundle.Open(Base, Gradus.Tensors.Cpu.CpuDevice.Default, ModelBundleOptions.ToRun))) { Adapters = [new AdapterSource("one", Path.Combine(_folder, "one")), new AdapterSource("two", Path.Combine(_folder, "two"))] });
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task InOneBatchEachHasTheBitsThatItHasAlone()
    {
        string[] names = ["base", "one", "two"];
        string[] alone = new string[3];
        for (int i = 0; i < names.Length; i++)
            alone[i] = await Say(names[i]);
        Assert.Equal(3, alone.Distinct().Count());
        string[] together = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => Say(names[i % 3])));
        Assert.All(Enumerable.Range(0, 12), i => Assert.Equal(alone[i % 3], together[i]));
        Assert.Equal(["base", "one", "two"], (await _server.Get("/v1/models")).GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()));
    }

    [Fact]
    public async Task AdaptersComeAndGoWhileTheModelWorks()
    {
        await _server.Ask(Chat, Request("late"), HttpStatusCode.NotFound);
        Task<string> working = Say("base");
        await _server.Ask("/v1/load_lora_adapter", """{"lora_name": "late"}""");
        Assert.NotEqual(await working, await Say("late"));
        await _server.Ask("/v1/load_lora_adapter", """{"lora_name": "late"}""", HttpStatusCode.BadRequest);
        await _server.Ask("/v1/unload_lora_adapter", """{"lora_name": "late"}""");
        await _server.Ask(Chat, Request("late"), HttpStatusCode.NotFound);
        await _server.Ask("/v1/unload_lora_adapter", """{"lora_name": "late"}""", HttpStatusCode.NotFound);
        Assert.Equal(["one:True", "two:True", "late:False"], (await _server.Get("/lora-adapters")).EnumerateArray().Select(a => $"{a.GetProperty("name").GetString()}:{a.GetProperty("loaded").GetBoolean()}"));
    }

    [Theory]
    [InlineData("""{"lora_name": "../one"}""", HttpStatusCode.NotFound)]
    [InlineData("""{"lora_name": "x", "lora_path": "/etc"}""", HttpStatusCode.BadRequest)]
    public async Task NoPathOfARequestIsTaken(string request, HttpStatusCode status) => await _server.Ask("/v1/load_lora_adapter", request, status);

    private static string Request(string model) => $$"""{"model": "{{model}}", "messages": [{"role": "user", "content": "the cat"}], "max_tokens": 24, "temperature": 0, "ignore_eos": true}""";

    private async Task<string> Say(string model)
    {
        JsonElement body = await _server.Ask(Chat, Request(model));
        Assert.Equal(model, body.GetProperty("model").GetString());
        return body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
    }

    private void Write(string name, float value)
    {
        using ModelBundle bundle = TinyModels.ChatBundle();
        using ModelAdapter adapter = ModelAdapter.Attach(bundle.Model, new LoraConfig(R: 2, LoraAlpha: 100), 3);
        foreach (Parameter parameter in adapter.Parameters)
            parameter.Value.Span().Fill(value);
        PeftFolder.Save(Path.Combine(_folder, name), adapter);
    }
}
