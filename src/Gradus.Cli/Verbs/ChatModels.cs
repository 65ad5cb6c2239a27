using System.ClientModel;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Clients;
using Gradus.Tensors.Cpu;
using Microsoft.Extensions.AI;
using OpenAI;

namespace Gradus.Cli.Verbs;

/// <summary>Models to talk with, behind one interface: those of this machine, and servers.</summary>
internal static class ChatModels
{
    private const string KeyVariable = "GRADUS_API_KEY";

    /// <summary>The part of help that says what can stand for a model.</summary>
    public const string Help = "a model's folder, a run's or an adapter's, a GGUF file; or the address of an OpenAI-compatible server, up to /v1, with the model's name behind a # (http://localhost:8080/v1#name; a key comes from " + KeyVariable + ")";

    /// <summary>Opens a model.</summary>
    /// <param name="model">A path or an address.</param>
    /// <param name="cancellation">Ends the loading.</param>
    /// <exception cref="InvalidDataException">There is no such model, or it cannot talk.</exception>
    public static IChatClient Open(string model, CancellationToken cancellation)
    {
        if (model.Length == 0)
            throw new UsageException($"there is no model; give {Help}.");
        if (!Uri.TryCreate(model, UriKind.Absolute, out Uri? address) || address.Scheme is not ("http" or "https"))
            return new OwningClient(ModelFolder.Open(model, CpuDevice.Default, ModelBundleOptions.ToRun with { WritesText = true }, null, cancellation));
        string name = Uri.UnescapeDataString(address.Fragment.TrimStart('#'));
        string key = Environment.GetEnvironmentVariable(KeyVariable) is { Length: > 0 } given ? given : "none";
        return new OpenAIClient(new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri(address.GetLeftPart(UriPartial.Query)) })
            .GetChatClient(name.Length > 0 ? name : "default").AsIChatClient();
    }

    /// <summary>A local model that is closed with its client.</summary>
    private sealed class OwningClient(ModelBundle bundle) : DelegatingChatClient(new LocalChatClient(bundle))
    {
        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            if (disposing)
                bundle.Dispose();
        }
    }
}
