#:project ../src/Gradus.Server/Gradus.Server.csproj
// Serves a model under the API of OpenAI and asks it as any client would. Without a model's folder it serves one that has learned nothing yet:
// dotnet run examples/serve.cs MODEL
using System.Text;
using Gradus.Bundle;
using Gradus.Files;
using Gradus.Models;
using Gradus.Server;
using Gradus.Server.Catalog;
using Gradus.Tensors.Cpu;
using Gradus.Text;

string folder = args.Length > 0 ? args[0] : NewModel();
ModelSource source = new("stories", _ => new ServedModel(ModelBundle.Open(folder, CpuDevice.Default, ModelBundleOptions.ToRun)));
await using InferenceServer server = new(new ModelCatalog([source]), new ServerOptions(Port: 0));
await server.Start();
await server.Load();
Console.WriteLine($"listening at {server.Address}");

using HttpClient client = new() { BaseAddress = server.Address };
StringContent request = new("""{"model": "stories", "prompt": "Once upon a time", "max_tokens": 20, "seed": 1}""", Encoding.UTF8, "application/json");
using HttpResponseMessage answer = await client.PostAsync("/v1/completions", request);
Console.WriteLine(await answer.Content.ReadAsStringAsync());
await server.Stop();

static string NewModel()
{
    Tokenizer tokenizer = CharacterTokenizer.Train(["Once upon a time, there was a quiet fox."]);
    LlamaConfig config = new(tokenizer.VocabularySize, HiddenSize: 64, IntermediateSize: 192, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: 128);
    using LanguageModel model = Checkpoint.Create(config, seed: 1, CpuDevice.Default);
    string path = Path.Combine(Path.GetTempPath(), "gradus-untrained");
    using AtomicFolder written = AtomicFolder.Begin(path);
    Checkpoint.Write(written, model);
    tokenizer.Save(written.TemporaryPath);
    written.Commit();
    return path;
}
