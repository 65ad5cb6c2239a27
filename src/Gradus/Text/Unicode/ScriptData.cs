// Generated: the scripts of Unicode 9.0 (Scripts.txt, © Unicode, Inc., under the Unicode licence), with Hiragana, Katakana and U+30FC as Han
// and the space as no script, which is how the reference sees them; packed and deflated.
// Layout: runs of code points from 0 on, each as its length and the number of its script (0 is none), both LEB128.

namespace Gradus.Text;

internal static class ScriptData
{
    public const string Base64 =
        "fZZLbF1XFYb/tR/neV/29b3XvrbvOXYdv5952CdN2thx7SZNmjpNnDgpMWmapCFpm6RNm5IE4iRuM+hDHSIGKBIVAgnBCFAREiCBEAMkEFAmqEJiiIBKIEYI8Z+TG7eqEIPvrLXXfu+91tonFkEsdeWQCRFVJFZq" +
        "SiQiP9VqQCwNSrfJJWOsiLYKqRRrIJlMbZLqaCO7bMEp2TfEVeZb4gr6PQXXEwwQtmZJU5vxPXT6FtYPYQMRhxQCzgihFpMgCE09EPMC9d6gEAp2huwbTgabcwXsyFuMFxSKBUFXUUGKc6gEAi+oosAe3cHBkjIt" +
        "JSX1kmmhvUVBkSp1l0iLhmHZb9pNi0eboS6wWTsL3SpwWmlrZZm6S9QGnJPSNut1q2bZhaEtlaXWELos8Ekqq8QlitiyQtC0a+pSLsJQ5soudRc8anhtXBepUneJIpZlv2nXbR6l2bC3tgVQFa63oqEpDWVaFqIy" +
        "PbVr5CoGdqMN5644pIBKxcJUOS/RpEZKVb1RNlUXKtPTdlx/1WOdqbEH0aRGAmJrXGXTZmrsRSTTVVavagXodvYjqRxqVxu6025QYrlOVIegtUOjndIn0kE/Ylk6DJyszDE6HAS0644cHq7TH6Wrvgmqk7WdakNK" +
        "pwND3SU6s31Sn89sCrZpd6gHxHTG2NMl6OsyGMikoEjcLiOqaxPuSXd/g10aliiMNERMY01Fe2PuNOZKKaWpDzVlz/+oK1Jub+rzJI416rGDIz0KDlmzvd0Paezr0xL2uchv4hI2haj0K/HRNpBDfpAbIGowh9Uh" +
        "Ln7IyVDDDKZhEX+Y1zLsYGXYw8iwxWJvgGhEkBsxGTJCpxhpjPIIRkOMjhnUxxyEY3SZsXioa5zHNL5rQtA9oRBOcGxSoF40c9g/aTA2qTE7tXWzB7M52aJRJHrL5FbfnYE35UEbkTxxDT/GIWmQK+OgX1kr7hS/" +
        "huSVuItK7LRhUjBrSlWZZxzS35ReM8c8IKJtG2WRFLI2gjJlmot8khNljnKqkAlNZV+mNuSVRiQt6DFF9DN3aVZyUXQFYegPKS0Gf+dKMSAd7FTBPVfW1LZ/8taZJhV6hcfFak/qMFLCxLRkxOqKY+E6n3aKZIbe" +
        "P1OAzNRiP7v1/0fsLsgO1BPBsSSHDyWpcyIGq0jCtJl0iJ8YoyJPTJKu70jCm+FZatYeJyaxGNIaqxEDVzq1RZ/kUEoilmclig7KBIdeSb4p8v0tSUDbh1+XZBjv+Ns1Zrb7mHz422pHG066Kzs9bvMsj6JPcaNq" +
        "F3w1+ohBIA6SRz0s7vKQ2+WgUVIYn+XaZvvmQshcd6RxYHea5IPdTEy7o26m+XkfhXl6JTHzcff8Y+2wj9UWAjh09vt8cjQjdA2fPhBgqWd8gb0WHLx/NMqhFhlMReu78TfFbZ9P+uGqHKxnUfeZcYgQ1STwXw5a" +
        "8BfF56SE2UBhOhjko6BQMukeCka5D/EEy8SkJ8xn466wWj71FIYS8FDHEsWj03AitYFm2WVLVwJeDrP2oqBOykSR4qJCYbEX1xf5gnD4MXqML09lHpm+mBO0iLnNiHpcY2pPEcLcZNC3N4fOJyxG9lk09nND+/ue" +
        "NCg8OYylA5NPNZZ4GksO+g6ajMGnPWw9xFM/9J7gB+qwj+rhAN7hrzCDLXMny4JRopaZL7Ny9Qij4kh8NFrx4K9MonyMtccYase6jrPN8foz9NlnZhF/rv2EQdsJXu0Js8o2qxYepSadq4bSwF/lGKsu4s/HJ2MM" +
        "PMtE8qyP6VM8l1PV5xipz5VPs9fp1jN8D8/k4J5Zwt6zM9jyfJ64cJ7/k0IU3KK7nDNonOMRnNv9hQI6zrsIzjvYdoERfSGHgRd8HHiR1/Yi/yw6QrS+xF29NAf3Io+HGFIk4UUHOy5ZBJeY5y/TZS8zNEiVuksU" +
        "sSz7Tbsmcpnv3mVGLHX3smb9W4LjL3PgjF7secVD8Mo3BNNXmIOu9GLh1RDBqw7yw2Ukr7HytWnUrzLhXeWbdZU7OvR6DvL6TzS2f/EuJ7smGCOFawG6r2nE17mg6yxf/6WDr7o3zuLiDS7rRoifyY0fVfBd70u/" +
        "ifAL8+UP5vGB2ekiuklPvslAunkSjTU6mrNGj1u8xU9wK/W/9FO5JRblW/Kxg4XbEmLiNl2+5bbMQu5IhL9O3JEy/mHvyDtPQCX/qeHCOjvk11OfXBce9zoHNuti5I/9+Bcjl3lP4VHR/GfymF1c0xBjdkgNi/aH" +
        "gqN8dFrlXcEy5348zeOSho3KZJqV0tQoWXAI5rL4ojs0y11ZWdKMxjb3g+h3acf3089meZs/jUXww1t9Q34dwGVebZlWmVTETv++iJ/Lm2xdelOGsO8u9xLcZfCou3LPB6MbnUQF6V+kSv8kERCTlVN454Fp6vfR" +
        "n2n/WR7UpWO4zbEejJeO3RLYbAyb6VvZ/l2FUS7pNLNvkStNH52UTTzbvKSPD39kWf+IbEedeV1JPmvv8zaUfEfwW5eWfHY+Pq5wlGUZyVJHIl6WgwcpG3IqG9Wjnp5/Tu6nl6L08ILGaftxDn/4lUqG8L04CfER" +
        "J8LtseSjp/E1k/z5rVG2aOCkrAk+FvPev0P8Fw==";
}
