// The list of cameras, microphones and speakers in the contract's form.

/** One device. */
export interface ZegoDeviceInfo {
  deviceName: string;
  deviceID: string;
}

/** All of them. Names are empty until the user has allowed a capture. */
export interface ZegoDeviceInfos {
  microphones: ZegoDeviceInfo[];
  speakers: ZegoDeviceInfo[];
  cameras: ZegoDeviceInfo[];
}

/** The devices now; empty lists where the browser gives none, as outside of https. */
export async function listDevices(): Promise<ZegoDeviceInfos> {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: MediaDeviceKind): ZegoDeviceInfo[] =>
    devices
      .filter((device) => device.kind === kind)
      .map((device) => ({ deviceName: device.label, deviceID: device.deviceId }));
  return { microphones: of("audioinput"), speakers: of("audiooutput"), cameras: of("videoinput") };
}
